"""The nodes of the scenario, runs to break, and what was measured."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from firewall.nodes import Controller, Node
from playbook_run import PROJECT, command, environment
from testinfra.host import Host

#: What was measured, for the end of the run: line by line.
MEASURED = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def ssh_config(machine: Callable[[str], Host]) -> str:
    """The file by which ssh reaches the nodes by name."""
    return str(machine("head01").backend.ssh_config)


@pytest.fixture(scope="session")
def node(declared: dict[str, Any], ssh_config: str) -> Callable[[str], Node]:
    """Give a node by name."""
    lab = Path(ssh_config).parent.name
    return lambda name: Node(name, str(declared[name]["ansible_host"]), lab)


@pytest.fixture
def start(inventory: Path, strategy: str) -> Iterator[Callable[..., Controller]]:
    """Start a playbook and go on: ``start("converge.yml", "--limit=x", key=value)``."""
    started: list[Controller] = []

    def call(playbook: str, *options: str, **variables: object) -> Controller:
        file = str(inventory.parent.resolve() / playbook)
        process = subprocess.Popen(
            command(inventory, file, *options, **variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=PROJECT,
            env={**environment(strategy), "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
        started.append(Controller(process))
        return started[-1]

    yield call
    for each in started:
        if each.process.poll() is None:
            each.kill()


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Callable[[str, float], None]:
    """Note a time in seconds; the end of the run prints it."""

    def note(what: str, seconds: float) -> None:
        request.config.stash.setdefault(MEASURED, []).append(f"{what}: {seconds:.1f} s")

    return note


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print what was measured."""
    lines = config.stash.get(MEASURED, [])
    if lines:
        terminalreporter.section("measured")
        for line in lines:
            terminalreporter.line(line)
