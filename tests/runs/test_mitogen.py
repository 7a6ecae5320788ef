"""The opt-in GPULAB_MITOGEN=1 gives the same result as Ansible's own strategy."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from .conftest import ROOT, Lab, recap

HOSTS = ("head01", "node01", "node02")


@pytest.fixture(scope="module")
def by_mitogen(lab: Lab) -> Lab:
    """The lab, driven by mitogen."""
    environment = {**os.environ, "GPULAB_MITOGEN": "1"}
    subprocess.run(["scripts/bootstrap.sh", "test"], cwd=ROOT, env=environment, check=True)
    return Lab(lab.inventory, {"ANSIBLE_STRATEGY": "gpulab.core.mitogen"})


def damage(lab: Lab) -> None:
    lab.shell(
        "node01", "echo '# damaged' >> /etc/chrony/chrony.conf; rm /etc/sudoers.d/gpulab-users"
    )


def test_the_same_is_repaired_and_then_nothing(lab: Lab, by_mitogen: Lab) -> None:
    if " " in sys.executable:
        # It cannot run here, and says so before it does anything.
        run = by_mitogen.playbook("site.yml", "--tags", "base")
        assert run.status != 0
        assert "the path has a space" in run.output
        return
    recaps = []
    for way in (lab, by_mitogen):
        damage(lab)
        for _ in range(2):
            run = way.playbook("site.yml", "--tags", "base")
            assert run.status == 0, run.output
            recaps.append([recap(run.output, host) for host in HOSTS])
    plain_repair, plain_again, mitogen_repair, mitogen_again = recaps
    assert mitogen_repair == plain_repair
    assert mitogen_again == plain_again
    assert plain_repair[1]["changed"] > 0
    assert [host["changed"] for host in plain_again] == [0, 0, 0]
