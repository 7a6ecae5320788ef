"""Nothing is trained, measured or upgraded where a job of a real Slurm runs."""

from __future__ import annotations

from collections.abc import Callable

from playbook_run import Play
from slurm.lab import Slurm
from testinfra.host import Host

Machine = Callable[[str], Host]
DRAIN = "tests/infra/slurm/drain.yml"


def test_the_benchmark_leaves_a_node_with_a_job_alone(slurm: Slurm, play: Play) -> None:
    job = slurm.submit("node02")
    # The nodes of this scenario have no PyTorch, which is a finding and fails no task.
    run = play("playbooks/benchmark.yml", benchmark_stages=["train"])
    assert run.returncode == 0, run.stdout
    assert f"Nothing is measured where jobs run (node02: {job} of root)" in run.said
    assert "skipping: [node02]" in run.stdout
    assert slurm.job(job) == "RUNNING"
    for name in ("node01", "node02"):
        assert "DRAIN" not in slurm.state(name)


def test_no_job_starts_on_a_node_that_is_measured(slurm: Slurm, play: Play) -> None:
    run = play("tests/infra/slurm/hold.yml")
    assert run.returncode == 0, run.stdout
    assert slurm.reason("node01") == "gpulab: measuring: benchmark"
    waiting = slurm.head.check_output("sbatch -w node01 -o /dev/null --wrap 'sleep 1'").split()[-1]
    assert slurm.job(waiting) == "PENDING"


def test_pairs_are_measured_without_a_node_with_a_job(slurm: Slurm, play: Play) -> None:
    job = slurm.submit("node02")
    run = play("playbooks/pairs.yml")
    assert run.returncode == 0, run.stdout
    assert f"node02: {job} of root" in run.said
    assert slurm.job(job) == "RUNNING"
    assert "DRAIN" not in slurm.state("node01")


def test_training_together_is_refused_where_a_job_runs(slurm: Slurm, play: Play) -> None:
    job = slurm.submit("node02")
    run = play("playbooks/benchmark_ddp.yml", ddp_zone="management")
    assert run.returncode != 0
    assert "node02 have jobs: wait for their end, or leave them out" in run.said
    assert slurm.job(job) == "RUNNING"
    assert "DRAIN" not in slurm.state("node01")


def test_an_upgrade_drains_by_the_head_where_the_nodes_own_slurm_is_broken(
    slurm: Slurm, play: Play, machine: Machine
) -> None:
    machine("node01").check_output("systemctl stop slurmd; mv /etc/slurm/slurm.conf /root")
    try:
        run = play(DRAIN, only="node01")
        assert run.returncode == 0, run.stdout
        assert slurm.reason("node01") == ""
    finally:
        machine("node01").check_output("mv /root/slurm.conf /etc/slurm/; systemctl start slurmd")


def test_an_upgrade_waits_for_jobs_and_stays_drained(slurm: Slurm, play: Play) -> None:
    job = slurm.submit("node01")
    run = play(DRAIN, only="node01")
    assert run.returncode != 0
    assert slurm.job(job) == "RUNNING"
    assert slurm.reason("node01") == "gpulab: driver upgrade"


def test_a_quarantine_by_hand_during_an_upgrade_is_not_lifted(slurm: Slurm, play: Play) -> None:
    states = {"node01": {"state": "quarantined", "reason": "smells", "passed_at": ""}}
    run = play(DRAIN, only="node01", states=states)
    assert run.returncode == 0, run.stdout
    assert "DRAIN" in slurm.state("node01")
    assert slurm.reason("node01") == "gpulab: quarantined: smells"
