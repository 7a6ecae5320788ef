"""What the tests of the mirror share: its logs, its manifest, and the nodes that it serves."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
import testinfra
from playbook_run import MITOGEN
from testinfra.host import Host


@pytest.fixture(scope="session")
def strategy() -> str:
    """Mitogen's: that both give the same is proved by tests/runs."""
    return MITOGEN


@pytest.fixture(scope="module")
def machine(host: Host) -> Callable[[str], Host]:
    """Open another machine by name; ``host`` is only the way to it."""
    config = host.backend.ssh_config
    return lambda name: testinfra.get_host(f"ssh://{name}", ssh_config=config, sudo=True)


@pytest.fixture(scope="module")
def head(machine: Callable[[str], Host]) -> Host:
    """The node that keeps the packages."""
    return machine("head01")


@pytest.fixture(scope="module")
def manifest(head: Host) -> list[dict[str, Any]]:
    """What was fetched ahead: uri, name, bytes, sha256 of each package."""
    text = head.file("/var/lib/gpulab/mirror.json").content_string
    packages: list[dict[str, Any]] = json.loads(text)["packages"]
    return packages


@pytest.fixture(scope="module")
def asked(head: Host) -> Counter[str]:
    """File name → how often the head asked the servers outside for it."""
    lines = head.check_output("journalctl --unit=gpulab-origin --output=cat").splitlines()
    paths = [line.split('"')[1].split()[1] for line in lines if '"GET ' in line]
    return Counter(unquote(path).rsplit("/", 1)[-1] for path in paths)


@pytest.fixture(scope="module")
def served(head: Host) -> Counter[str]:
    """File name → how often apt-cacher-ng gave it to somebody ("O": what went out)."""
    text = head.file("/var/log/apt-cacher-ng/apt-cacher.log").content_string
    rows = [row.split("|") for row in text.splitlines()]
    return Counter(unquote(row[-1]).rsplit("/", 1)[-1] for row in rows if row[1] == "O")
