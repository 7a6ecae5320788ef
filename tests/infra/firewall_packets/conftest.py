"""The nodes of the scenario, listening, with what is declared for them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from firewall_packets.declared import read
from firewall_packets.matrix import LISTENER, Machines, listen
from playbook_run import PROJECT, Play
from testinfra.host import Host

from ansible_collections.gpulab.core.plugins.plugin_utils.firewall.policy import (
    Policy,
    policy_from_plain,
)

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def machines(
    machine: Callable[[str], Host], inventory: Path, declared: dict[str, Any]
) -> Iterator[Machines]:
    """All nodes; each answers on every port of every address of its own."""
    hosts = yaml.safe_load((inventory / "hosts.yml").read_text())["all"]
    stranger = declared["stranger"]["node_interfaces"].values()
    attached = [one[key] for one in stranger for key in ("address", "address6")]
    with tempfile.TemporaryDirectory() as sockets:
        lab = Machines(
            read(inventory, PROJECT / "roles"),
            {name: machine(name) for name in declared},
            {"stranger": [*hosts["vars"]["stranger_addresses"], *attached]},
            Path(sockets),
        )
        lab.on_all(lambda name: listen(lab, name))
        yield lab
        lab.on_all(lambda name: lab.ssh(name, f"systemctl stop {LISTENER}"))
        lab.close()


@pytest.fixture(scope="session")
def policy(play: Play, tmp_path_factory: pytest.TempPathFactory) -> Policy:
    """What the project itself makes of the declaration, for comparison with packets."""
    file = tmp_path_factory.mktemp("policy") / "policy.json"
    run = play(str(HERE / "write_policy.yml"), write_policy_to=str(file))
    assert run.returncode == 0, run.stdout
    return policy_from_plain(json.loads(file.read_text()))


@pytest.fixture(autouse=True)
def fresh(machines: Machines) -> None:
    """Begin each test with the rulesets as they were compiled, and nobody's rate spent."""
    machines.close()
