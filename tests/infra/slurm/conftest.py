"""A real Slurm: slurmctld on head01, slurmd on node01 and node02."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playbook_run import MITOGEN
from slurm.lab import Slurm
from testinfra.host import Host

NODES = ("node01", "node02")


@pytest.fixture(scope="session")
def strategy() -> str:
    """Mitogen's: that both give the same is proved by tests/runs."""
    return MITOGEN


@pytest.fixture
def slurm(machine: Callable[[str], Host]) -> Iterator[Slurm]:
    """Slurm, with both nodes idle and without jobs, before and after."""
    found = Slurm(machine("head01"))
    yield found
    found.head.check_output("systemctl start slurmctld")
    found.head.check_output("scancel --user=root; rm -f /var/lib/gpulab/slurm-admission.json")
    for name in NODES:
        machine(name).check_output("systemctl start slurmd")
        if found.state(name) - {"IDLE", "NOT_RESPONDING"}:
            found.update(name, "state=down", "reason=the test is over")
            found.update(name, "state=resume")
    for name in NODES:
        found.settle(name)
