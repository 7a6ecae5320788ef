"""Workers that die, hang, fail and are told to end: real processes, without PyTorch."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Callable

import pytest

from gpulab_bench import launch
from gpulab_bench.children import Child, kill_marked, marked
from gpulab_bench.profiles import PROFILES, WORKERS, Profile, StagePlan
from gpulab_bench.supervisor import Supervisor

WORKER = Path(__file__).parent / "bench_worker.py"
COMMAND = [sys.executable, str(WORKER)]


class StopWhen:
    """Gives a reason once a condition holds."""

    def __init__(self, condition: Callable[[], bool] = lambda: False) -> None:
        """Ask this."""
        self._condition = condition
        self._reason: str | None = None

    def reason(self) -> str | None:
        if self._reason is None and self._condition():
            self._reason = "SIGINT"
        return self._reason


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Supervisor]:
    folder = tmp_path / "run"
    folder.mkdir()

    def run_stages(
        script: dict[str, list[str]],
        *stages: str,
        limit_s: float = 20.0,
        stop: Callable[[], bool] = lambda: False,
    ) -> Supervisor:
        (folder / "script.json").write_text(json.dumps(script))
        profile = Profile("test", 60, tuple(StagePlan(name, 0, limit_s) for name in stages))
        supervisor = Supervisor(
            profile,
            folder,
            StopWhen(stop),  # what is asked of it is reason()
            lambda _line: None,
            COMMAND,
        )
        supervisor.run()
        return supervisor

    return run_stages


def statuses(supervisor: Supervisor) -> dict[str, str]:
    return {name: result["status"] for name, result in supervisor.results.items()}


def ended(supervisor: Supervisor) -> list[tuple[str, str | None]]:
    return [(one["ended"], one["stage"]) for one in supervisor.launches]


STAGES = ("probe", "gemm", "train")


def test_one_worker_runs_the_stages_of_its_kind(run: Callable[..., Supervisor]) -> None:
    supervisor = run({}, *STAGES, "disk")
    assert statuses(supervisor) == dict.fromkeys((*STAGES, "disk"), "done")
    assert ended(supervisor) == [("done", None), ("done", None)]
    assert [one["worker"] for one in supervisor.launches] == ["single", "plain"]
    assert (supervisor.restarts, supervisor.unfinished()) == (0, False)


def test_a_worker_that_dies_starts_again_where_it_died(run: Callable[..., Supervisor]) -> None:
    supervisor = run({"gemm": ["kill", "done"]}, *STAGES)
    assert statuses(supervisor) == dict.fromkeys(STAGES, "done")
    assert ended(supervisor) == [("crashed", "gemm"), ("done", None)]
    first, second = supervisor.launches
    assert (first["signal"], first["tail"]) == ("SIGKILL", "probe: done\ngemm: kill")
    assert second["stages"] == ["gemm", "train"]
    assert supervisor.restarts == 1
    assert supervisor.core_error() is None


def test_a_stage_that_kills_its_worker_twice_is_given_up(run: Callable[..., Supervisor]) -> None:
    supervisor = run({"gemm": ["kill"]}, *STAGES)
    assert statuses(supervisor) == {"probe": "done", "gemm": "error", "train": "done"}
    assert supervisor.results["gemm"]["error"] == {
        "kind": "crash",
        "message": "killed by SIGKILL: gemm: kill",
    }
    assert ended(supervisor) == [("crashed", "gemm")] * 2 + [("done", None)]
    assert supervisor.restarts == 2


def test_an_exit_without_a_word_is_a_crash(run: Callable[..., Supervisor]) -> None:
    supervisor = run({"probe": ["exit"]}, "probe")
    assert supervisor.launches[0]["exit_status"] == 3
    assert supervisor.core_error() == {"kind": "crash", "message": "exit status 3: probe: exit"}


def test_an_error_is_not_tried_twice_and_the_rest_gets_a_fresh_process(
    run: Callable[..., Supervisor],
) -> None:
    supervisor = run({"gemm": ["error"]}, *STAGES)
    assert statuses(supervisor) == {"probe": "done", "gemm": "error", "train": "done"}
    assert ended(supervisor) == [("failed", None), ("done", None)]
    assert supervisor.launches[1]["stages"] == ["train"]


def test_a_stage_that_hangs_is_ended_and_not_tried_again(run: Callable[..., Supervisor]) -> None:
    started = time.monotonic()
    supervisor = run({"gemm": ["hang"]}, *STAGES, limit_s=1.0)
    assert time.monotonic() - started < 15
    assert statuses(supervisor) == {"probe": "done", "gemm": "error", "train": "done"}
    assert supervisor.results["gemm"]["error"]["kind"] == "hung"
    assert ended(supervisor) == [("hung", "gemm"), ("done", None)]


def test_what_stands_on_a_lost_stage_is_left_out(run: Callable[..., Supervisor]) -> None:
    supervisor = run({"train": ["error"]}, "probe", "train", "inference", "disk")
    assert statuses(supervisor)["inference"] == "skipped"
    assert supervisor.results["inference"]["reason"] == "stage train did not come to its end"
    assert statuses(supervisor)["disk"] == "done"


def test_without_a_probe_only_the_disk_is_measured(run: Callable[..., Supervisor]) -> None:
    supervisor = run({"probe": ["error"]}, "probe", "gemm", "train", "disk")
    assert statuses(supervisor) == {
        "probe": "error",
        "gemm": "skipped",
        "train": "skipped",
        "disk": "done",
    }


def test_told_to_end_it_keeps_what_the_stage_has_and_leaves_nobody_behind(
    run: Callable[..., Supervisor], tmp_path: Path
) -> None:
    begun = tmp_path / "run" / "gemm.tries"
    supervisor = run({"gemm": ["wait"]}, *STAGES, stop=begun.exists)
    assert statuses(supervisor) == {"probe": "done", "gemm": "stopped"}
    assert supervisor.unfinished()
    assert ended(supervisor) == [("stopped", None)]
    assert marked(os.getpid()) == []


def test_a_worker_that_does_not_listen_is_killed(
    run: Callable[..., Supervisor], tmp_path: Path
) -> None:
    started = time.monotonic()
    supervisor = run({"gemm": ["hang"]}, *STAGES, stop=(tmp_path / "run" / "deaf").exists)
    assert time.monotonic() - started < 10
    assert supervisor.launches[0]["signal"] == "SIGKILL"
    assert ended(supervisor) == [("stopped", None)]
    assert marked(os.getpid()) == []


def test_what_a_dead_worker_left_in_another_session_is_killed(
    run: Callable[..., Supervisor], tmp_path: Path
) -> None:
    run({"probe": ["orphan", "done"]}, "probe")
    orphan = (tmp_path / "orphan").read_text()
    # Killed; whoever adopted it may not have taken leave of it yet.
    try:
        state = Path(f"/proc/{orphan}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        state = "gone"
    assert state in ("Z", "gone")


def test_only_the_marked_are_killed() -> None:
    mine = Child([sys.executable, "-c", "import time; time.sleep(60)"], {}, lambda _line: None)
    assert marked(os.getpid()) == [mine.pid]
    assert marked(os.getpid() + 1) == []
    assert kill_marked(os.getpid()) == []
    assert mine.end(0) == -9


def test_a_worker_that_does_not_start_is_a_crash(tmp_path: Path) -> None:
    profile = Profile("test", 60, (StagePlan("probe", 0, 20),))
    stop: Any = StopWhen()
    nowhere = [str(tmp_path / "python")]
    supervisor = Supervisor(profile, tmp_path, stop, lambda _line: None, nowhere)
    supervisor.run()
    assert ended(supervisor) == [("crashed", "probe")] * 2
    error = supervisor.core_error()
    assert error is not None
    assert error["message"].startswith(f"no exit status: {nowhere[0]} did not start")


def test_a_profile_can_be_cut_down_to_some_stages() -> None:
    names = [plan.name for plan in PROFILES["quick"].only(["inference"]).stages]
    assert names == ["probe", "train", "inference"]
    with pytest.raises(ValueError, match="profile soak has no stage 'disk'"):
        PROFILES["soak"].only(["disk"])


def test_profiles_are_sound() -> None:
    for name, profile in PROFILES.items():
        stages = [plan.name for plan in profile.stages]
        assert profile.name == name
        assert stages == [stage for stage in WORKERS if stage in stages]
        assert {"probe", "train", "inference", "evaluation"} <= set(stages)
        assert all(plan.seconds < plan.limit_s for plan in profile.stages)
        assert sum(plan.seconds for plan in profile.stages) < profile.budget_s


@pytest.mark.parametrize(
    ("probe", "size"),
    [
        ({}, 2),
        ({"device": {"type": "cpu"}, "devices": []}, 2),
        ({"device": {"type": "cuda"}, "devices": [{}]}, 1),
        ({"device": {"type": "cuda"}, "devices": [{}] * 8}, 8),
    ],
)
def test_a_group_has_a_rank_for_every_gpu(probe: dict[str, Any], size: int) -> None:
    assert launch.group_size(probe) == size


def test_a_group_is_started_by_torchrun() -> None:
    argv = launch.worker_command(["python", "-I", "b.pyz"], "group", ["allreduce"], Path("/f"), 8)
    assert argv[:4] == ["python", "-I", "-m", "torch.distributed.run"]
    assert "--nproc-per-node=8" in argv
    assert argv[-9:-6] == ["python", "-I", "b.pyz"]
