"""Reach the nodes of a scenario over SSH, without Ansible.

A test module names its nodes in ``TARGETS`` (host names or groups of the scenario's
inventory), a single test by ``@pytest.mark.on("node01")``; a test that takes ``host`` runs on each
of them, as root.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shlex
import subprocess
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Any

import pytest
import testinfra
import yaml
from file_order import places
from playbook_run import PROJECT, USERS, Converge, Run, command, environment
from testinfra.host import Host


def scenario_inventory() -> Path:
    """Give the inventory folder of the scenario under test."""
    folder = os.environ.get("GPULAB_INVENTORY")
    if folder is None:
        scenario = os.environ.get("MOLECULE_SCENARIO_DIRECTORY")
        if scenario is None:
            pytest.exit("run these by molecule, or name a running sandbox in GPULAB_INVENTORY")
        folder = f"{scenario}/inventory"
    return Path(folder)


def load(file: Path) -> dict[str, Any]:
    """Read one YAML file of the inventory.

    Raises:
        pytest.exit: when the sandbox is not running (machines.yml is not there).
    """
    if not file.is_file():
        pytest.exit(f"{file} is missing: start the scenario's machines first (molecule create)")
    data: dict[str, Any] = yaml.safe_load(file.read_text())
    return data


def ssh_config() -> str:
    """Give the path of the ssh_config that reaches the scenario's nodes by name."""
    arguments = load(scenario_inventory() / "machines.yml")["all"]["vars"]
    return str(arguments["ansible_ssh_common_args"]).partition('"')[2].rstrip('"')


def members(target: str) -> list[str]:
    """Resolve a host name or a group of the inventory to host names."""
    everything = list(load(scenario_inventory() / "machines.yml")["all"]["hosts"])
    if target == "all" or target in everything:
        return everything if target == "all" else [target]
    groups = load(scenario_inventory() / "hosts.yml")["all"]["children"]
    return list(groups[target]["hosts"])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes ``host`` on each node that it, or its module, names."""
    if "host" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("on")
        targets = mark.args if mark else getattr(metafunc.module, "TARGETS", ["all"])
        names = [name for target in targets for name in members(target)]
        metafunc.parametrize("host", dict.fromkeys(names), indirect=True, scope="module")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the files of a scenario in the order of its order.txt, where it has one."""
    try:
        order = {folder: places(folder) for folder in {item.path.parent for item in items}}
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error
    items.sort(key=lambda item: order[item.path.parent].get(item.path.name, 0))


def connect(name: str, *, sudo: bool = True) -> Host:
    """Open a node by name."""
    return testinfra.get_host(f"ssh://{name}", ssh_config=ssh_config(), sudo=sudo)


@pytest.fixture(scope="module")
def host(request: pytest.FixtureRequest) -> Host:
    """The node under test, as root."""
    return connect(request.param)


@pytest.fixture(scope="session")
def machine() -> Callable[[str], Host]:
    """Open any node by name, as root."""
    return connect


@pytest.fixture(scope="session")
def declared() -> dict[str, Any]:
    """What the running scenario's machines.yml says: node → its variables."""
    hosts: dict[str, Any] = load(scenario_inventory() / "machines.yml")["all"]["hosts"]
    return hosts


@pytest.fixture(scope="session")
def inventory() -> Path:
    """The inventory folder of the scenario under test."""
    return scenario_inventory()


def write(host: Host, path: str, text: str, mode: str = "0644") -> None:
    """Put a file on a machine."""
    coded = base64.b64encode(text.encode()).decode()
    host.check_output(f"install -D --mode={mode} /dev/null {path}")
    host.check_output(f"sh -c 'echo {coded} | base64 --decode > {path}'")


@pytest.fixture(scope="session")
def put() -> Callable[..., None]:
    """Put a file on a machine: ``put(host, path, text, mode)``."""
    return write


@pytest.fixture(scope="session")
def strategy() -> str:
    """Ansible's strategy for the runs that tests make.

    A scenario's conftest.py may give another; what molecule runs goes as users' runs do anyway.
    """
    return USERS


@pytest.fixture(scope="session")
def play(strategy: str) -> Callable[..., Run]:
    """Run a playbook on the scenario's machines: ``play("playbooks/mirror.yml", key=value)``.

    Words between, such as ``"--check"``, go to ansible-playbook. Gives the finished run.
    """
    inventory = scenario_inventory()

    def run(playbook: str, *options: str, **variables: object) -> Run:
        done = subprocess.run(
            command(inventory, playbook, *options, **variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            # Under emulation, beside another part of the tests, a driver takes ten minutes.
            timeout=1500,
            cwd=PROJECT,
            env=environment(strategy),
        )
        return Run(done.args, done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def play_at_terminal(strategy: str) -> Callable[..., Run]:
    """As ``play``, at a terminal: ``play_at_terminal("no", "playbooks/gpu.yml", key=value)``.

    The first word is typed, with Return, every second until the run ends: Ansible drops what was
    typed before it asks.
    """
    inventory = scenario_inventory()

    def run(answer: str, playbook: str, *options: str, **variables: object) -> Run:
        words = shlex.join(command(inventory, playbook, *options, **variables))
        with subprocess.Popen(
            ["script", "--quiet", "--return", "--command", words, "/dev/null"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=PROJECT,
            env=environment(strategy),
        ) as process:
            assert process.stdin is not None
            keyboard = process.stdin
            threading.Thread(target=_type, args=(process, keyboard, answer), daemon=True).start()
            assert process.stdout is not None
            output = process.stdout.read()
        return Run(words, process.returncode, output, "")

    return run


def _type(process: subprocess.Popen[str], keyboard: IO[str], answer: str) -> None:
    while process.poll() is None:
        with contextlib.suppress(BrokenPipeError):
            keyboard.write(f"{answer}\n")
            keyboard.flush()
        time.sleep(1)


@pytest.fixture(scope="session")
def converge(play: Callable[..., Run]) -> Converge:
    """Run the scenario's converge.yml again, with other variables (``converge(key=value)``).

    For tests of what a role refuses, which the scenario's own run can't contain.
    """
    # An absolute path stays what it is below the project.
    return partial(play, str(scenario_inventory().parent.resolve() / "converge.yml"))
