"""What the tests of this scenario share: its declaration, and faults of the simulated vendors."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from playbook_run import MITOGEN
from testinfra.host import Host

INVENTORY = Path(__file__).parents[3] / "molecule/gpu_tools/inventory/hosts.yml"
# The builder of the simulated repositories, where the scenario's prepare.yml puts it.
BUILDER = "/srv/gpulab-stubs/stubs.py"


@pytest.fixture(scope="session")
def strategy() -> str:
    """Mitogen's: that both give the same is proved by tests/runs."""
    return MITOGEN


@pytest.fixture
def software() -> Callable[..., dict[str, Any]]:
    """``software(dcgm={"version": "5"})``: the scenario's lab_software with other parts."""
    declared = yaml.safe_load(INVENTORY.read_text())["all"]["vars"]["lab_software"]

    def change(**parts: Any) -> dict[str, Any]:
        return copy.deepcopy(declared) | parts

    return change


@pytest.fixture
def rebuilt(host: Host) -> Callable[..., AbstractContextManager[None]]:
    """Put a fault into a simulated repository, as long as a block lasts.

    The block is opened with the repository and an argument of stubs.py: ``"--rename a=b"``.
    """

    @contextmanager
    def rebuild(repository: str, fault: str) -> Iterator[None]:
        host.check_output(f"{BUILDER} --repository {repository} {fault}")
        try:
            yield
        finally:
            host.check_output(f"{BUILDER} --repository {repository}")

    return rebuild


@pytest.fixture
def unheld(host: Host) -> Callable[..., AbstractContextManager[None]]:
    """Leave a package as a run does that ends too early, as long as a block lasts."""

    @contextmanager
    def release(name: str) -> Iterator[None]:
        host.check_output("apt-mark unhold %s", name)
        try:
            yield
        finally:
            host.check_output("apt-mark hold %s", name)

    return release
