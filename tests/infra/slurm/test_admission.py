"""Who is out of service gets no jobs of a real Slurm, whatever Slurm and others do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from playbook_run import Play, Run, changes_in
from slurm.lab import Slurm
from testinfra.host import Host

Machine = Callable[[str], Host]
PASSED = "2026-12-01T00:00:00Z"
IN: dict[str, Any] = {"state": "in_service", "reason": "", "passed_at": PASSED}
OUT: dict[str, Any] = {"state": "quarantined", "reason": "GPU 2 [x] is gone", "passed_at": PASSED}
OURS = "gpulab: quarantined: GPU 2 [x] is gone"
AGAIN = "systemctl start gpulab-slurm-admission.service"


def changes(run: Run) -> bool:
    assert run.returncode == 0, run.stdout
    return any(changes_in(run.stdout).values())


@pytest.fixture
def tell(play: Play) -> Callable[..., Run]:
    """Tell Slurm the states of nodes: ``tell(node01=OUT)``."""

    def run(*options: str, **states: dict[str, Any]) -> Run:
        return play("tests/infra/slurm/tell.yml", *options, states=states)

    return run


def test_a_node_in_quarantine_gets_no_jobs_until_it_is_back(slurm: Slurm, tell: Play) -> None:
    assert tell("--check", node01=OUT).returncode == 0
    assert slurm.state("node01") == {"IDLE"}
    assert changes(tell(node01=OUT, node02=IN))
    assert (slurm.state("node01"), slurm.reason("node01")) == ({"IDLE", "DRAIN"}, OURS)
    assert slurm.state("node02") == {"IDLE"}
    assert not changes(tell(node01=OUT, node02=IN))
    assert changes(tell(node01=IN))
    slurm.settle("node01")


def test_a_dead_node_stays_out_when_it_answers_again(
    slurm: Slurm, tell: Play, machine: Machine
) -> None:
    machine("node01").check_output("systemctl stop slurmd")
    slurm.wait("node01", "DOWN")
    assert tell(node01=OUT).returncode == 0
    assert {"DOWN", "DRAIN"} <= slurm.state("node01")
    machine("node01").check_output("systemctl start slurmd")
    until = time.monotonic() + 60
    while "NOT_RESPONDING" in slurm.state("node01"):
        assert time.monotonic() < until
        time.sleep(0.5)
    assert "DRAIN" in slurm.state("node01")
    assert slurm.reason("node01") == OURS
    # Its whole record passes: it is up again, too.
    assert changes(tell(node01=IN))
    slurm.settle("node01")


def test_a_quarantine_that_slurm_lifts_is_there_again(slurm: Slurm, tell: Play) -> None:
    tell(node01=OUT)
    assert slurm.head.service("gpulab-slurm-admission.timer").is_running
    assert slurm.head.service("gpulab-slurm-admission.timer").is_enabled
    # What `scontrol reboot nextstate=RESUME` ends with.
    slurm.update("node01", "state=resume")
    assert "DRAIN" not in slurm.state("node01")
    slurm.head.check_output(AGAIN)
    assert "DRAIN" in slurm.state("node01")
    assert slurm.reason("node01") == OURS
    # The timer gives nobody back.
    tell(node01=IN)
    slurm.update("node01", "state=drain", "reason=gpulab: quarantined: left over")
    slurm.head.check_output(AGAIN)
    assert "DRAIN" in slurm.state("node01")


def test_lost_state_of_slurm(slurm: Slurm, tell: Play) -> None:
    tell(node01=OUT)
    slurm.head.check_output(
        "systemctl stop slurmctld; rm -r /var/lib/slurm/slurmctld/*; systemctl start slurmctld"
    )
    slurm.wait("node01", "IDLE")
    slurm.head.check_output(AGAIN)
    assert "DRAIN" in slurm.state("node01")


def test_what_somebody_else_drained_stays_so(slurm: Slurm, tell: Play) -> None:
    slurm.update("node01", "state=drain", "reason=fan is loud")
    slurm.update("node02", "state=down", "reason=taken apart")
    for state in (OUT, IN):
        assert tell(node01=state, node02=state).returncode == 0
        assert slurm.reason("node01") == "fan is loud"
        assert slurm.reason("node02") == "taken apart"
        assert slurm.state("node02") == {"DOWN"}


def test_another_reason_of_gpulabs_is_lifted_with_it(slurm: Slurm, tell: Play) -> None:
    tell(node01=OUT)
    slurm.update("node01", "reason=gpulab: health: one GPU is missing")
    tell(node01=IN)
    slurm.wait("node01", "IDLE")
    assert "DRAIN" not in slurm.state("node01")


def test_a_node_that_no_record_has_passed_has_to_prove_itself(slurm: Slurm, tell: Play) -> None:
    tell(node01={"state": "unverified", "reason": "", "passed_at": ""})
    assert slurm.reason("node01").startswith("gpulab: unverified")
    # Its record is too old: nothing is known against it.
    tell(node01={"state": "unverified", "reason": "", "passed_at": PASSED})
    slurm.wait("node01", "IDLE")
    assert "DRAIN" not in slurm.state("node01")


def test_a_slurm_that_does_not_answer_costs_one_wait_and_is_told_later(
    slurm: Slurm, tell: Play
) -> None:
    tell(node01=IN)
    slurm.head.check_output("systemctl stop slurmctld")
    began = time.monotonic()
    run = tell(node01=OUT, node02=OUT)
    assert time.monotonic() - began < 40
    assert run.returncode != 0
    assert "Slurm could not be told who is in service" in run.said
    assert "node01, node02 must get no jobs, and the head tries again each minute" in run.said
    slurm.head.check_output("systemctl start slurmctld")
    slurm.wait("node01", "IDLE")
    slurm.head.check_output(AGAIN)
    assert "DRAIN" in slurm.state("node01")
    assert "DRAIN" in slurm.state("node02")


def test_a_node_that_slurm_does_not_register_is_not_resumed_and_no_error(
    slurm: Slurm, tell: Play, machine: Machine
) -> None:
    tell(node01=OUT)
    names = ("head01", "node01", "node02")
    change = "sed -i '/NodeName=node01/s/RealMemory={}/RealMemory={}/' /etc/slurm/slurm.conf"
    try:
        for name in names:
            machine(name).check_output(change.format(100, 99999999))
        slurm.head.check_output("systemctl restart slurmctld")
        machine("node01").check_output("systemctl restart slurmd")
        slurm.wait("node01", "INVALID_REG")
        run = tell(node01=IN, node02=IN)
        assert run.returncode == 0, run.stdout
        assert "node01 is in service again and gets no jobs" in run.stderr
        assert "INVALID_REG" in run.stderr
    finally:
        for name in names:
            machine(name).check_output(change.format(99999999, 100))
        slurm.head.check_output("systemctl restart slurmctld")
        machine("node01").check_output("systemctl restart slurmd")
        slurm.wait("node02", "IDLE")


def test_by_hand(slurm: Slurm, play: Play) -> None:
    run = play("playbooks/admission.yml", quarantine="node01", reason="its fan rattles")
    assert run.returncode == 0, run.stdout
    assert slurm.reason("node01") == "gpulab: quarantined: its fan rattles"
    assert slurm.state("node02") == {"IDLE"}
    # No record of it has ever passed: the person lifts the quarantine, and it still has to.
    run = play("playbooks/admission.yml", release="node01", reason="fan replaced")
    assert run.returncode == 0, run.stdout
    assert "DRAIN" in slurm.state("node01")
