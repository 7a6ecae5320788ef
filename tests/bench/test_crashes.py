"""Crashes for real: a worker is killed, the memory is full, a number is not finite."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable

import jsonschema
import pytest

from gpulab_bench import reliability
from gpulab_bench.children import marked
from gpulab_bench.context import Order
from gpulab_bench.profiles import PROFILES
from gpulab_bench.stop import Stop
from gpulab_bench.supervisor import Supervisor

Start = Callable[..., "subprocess.Popen[str]"]

SPOILED = Path(__file__).parent / "spoiled_worker.py"
WORKER = re.compile(r"worker (\w+) (\d+) started")


def follow(process: subprocess.Popen[str], wanted: str) -> dict[str, int]:
    """Read progress up to a line that holds ``wanted``; the workers' process ids by kind."""
    assert process.stderr is not None
    workers = {}
    for line in process.stderr:
        found = WORKER.search(line)
        if found:
            workers[found.group(1)] = int(found.group(2))
        if wanted in line:
            return workers
    pytest.fail(f"the benchmark ended without saying {wanted!r}")


def finish(process: subprocess.Popen[str], schema: dict[str, Any]) -> dict[str, Any]:
    stdout, _ = process.communicate(timeout=300)
    document: dict[str, Any] = json.loads(stdout)
    jsonschema.validate(document, schema)
    return document


def status_of(document: dict[str, Any]) -> dict[str, str]:
    return {stage["name"]: stage["status"] for stage in document["stages"]}


def test_a_worker_that_is_killed_in_mid_training_starts_again(
    start: Start, schema: dict[str, Any]
) -> None:
    process = start("--profile", "quick", "--budget-s", "300", "--stages", "gemm,train,evaluation")
    workers = follow(process, "step 50/150")
    os.kill(workers["single"], signal.SIGKILL)
    document = finish(process, schema)
    assert process.returncode == 0
    assert set(status_of(document).values()) == {"done"}
    assert document["evaluation"]["exact_match"] >= 0.9
    told = document["reliability"]
    assert (told["attempted"], told["failed"], told["restarts"]) == (2, 1, 1)
    assert told["crash_rate"] == 0.5
    assert (told["launches"][0]["stage"], told["launches"][0]["signal"]) == ("train", "SIGKILL")
    # What was done before the crash is not done again.
    assert told["launches"][1]["stages"] == ["train", "evaluation"]


def test_a_worker_that_is_killed_in_mid_inference_finds_the_trained_model_again(
    start: Start, schema: dict[str, Any]
) -> None:
    process = start("--profile", "quick", "--budget-s", "300", "--stages", "inference,evaluation")
    workers = follow(process, "stage inference begins")
    os.kill(workers["single"], signal.SIGKILL)
    document = finish(process, schema)
    assert process.returncode == 0
    assert document["reliability"]["launches"][1]["stages"] == ["inference", "evaluation"]
    assert document["evaluation"]["exact_match"] >= 0.9
    assert all(load["failed"] == 0 for load in document["inference"]["loads"])


def test_a_rank_that_is_killed_in_mid_all_reduce_is_noticed(
    start: Start, schema: dict[str, Any]
) -> None:
    process = start("--profile", "quick", "--budget-s", "300", "--stages", "allreduce")
    follow(process, "worker group")
    ranks: list[int] = []
    deadline = time.monotonic() + 60
    while len(ranks) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
        # torchrun's ranks: the workers that lead a session and have torchrun for a parent.
        ranks = [pid for pid in marked(process.pid) if b"RANK=" in environment_of(pid)]
    os.kill(ranks[1], signal.SIGKILL)
    document = finish(process, schema)
    told = document["reliability"]
    assert (told["failed"], told["restarts"]) == (1, 1)
    assert told["launches"][1]["stage"] == "allreduce"
    assert status_of(document)["allreduce"] == "done"
    assert marked(process.pid) == []


def environment_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("wanted", ["worker single", "step 50/150"])
def test_ctrl_c_ends_every_child_and_leaves_a_partial_document(
    wanted: str, start: Start, schema: dict[str, Any]
) -> None:
    process = start("--profile", "quick", "--budget-s", "300")
    follow(process, wanted)
    assert marked(process.pid) != []
    process.send_signal(signal.SIGINT)
    document = finish(process, schema)
    assert process.returncode == 6
    assert (document["partial"], document["stopped_by"]) == (True, "SIGINT")
    assert status_of(document)["disk"] == "unreached"
    assert document["reliability"]["launches"][-1]["ended"] == "stopped"
    assert document["reliability"]["crash_rate"] == 0
    assert marked(process.pid) == []


def test_ctrl_c_in_mid_all_reduce_ends_every_rank(start: Start, schema: dict[str, Any]) -> None:
    process = start("--profile", "quick", "--budget-s", "300", "--stages", "allreduce")
    follow(process, "worker group")
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    document = finish(process, schema)
    assert (process.returncode, document["stopped_by"]) == (6, "SIGINT")
    assert marked(process.pid) == []


def test_workers_end_with_a_supervisor_that_is_killed(start: Start) -> None:
    process = start("--profile", "quick", "--budget-s", "300", "--stages", "train")
    follow(process, "step 50/150")
    process.kill()
    process.wait()
    deadline = time.monotonic() + 5
    while marked(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert marked(process.pid) == []


@pytest.fixture
def spoiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Supervisor]:
    """Run stages with a worker in which something is broken."""
    # Under a pytest that was started with -P or the like, the tests' folder must not shadow ours.
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)

    def run(how: str, *stages: str) -> Supervisor:
        Order(
            preset="xs", profile="quick", device="cpu", seed=1234, disk_folder=str(tmp_path)
        ).write(tmp_path)
        supervisor = Supervisor(
            PROFILES["quick"].only(list(stages)),
            tmp_path,
            Stop(300, time.perf_counter()),
            lambda _line: None,
            [sys.executable, str(SPOILED), how],
        )
        supervisor.run()
        return supervisor

    return run


def rates_of(supervisor: Supervisor) -> dict[str, Any]:
    return reliability.summarise(
        supervisor.launches, supervisor.restarts, *reliability.operations(supervisor.results)
    )


def test_a_loss_that_is_not_finite_is_an_error(spoiled: Callable[..., Supervisor]) -> None:
    supervisor = spoiled("nan", "train")
    rates = rates_of(supervisor)
    assert supervisor.results["train"]["data"]["training"]["nonfinite_steps"] == 1
    assert (rates["operations"], rates["errors"]) == (150, 1)
    assert rates["error_rate"] == pytest.approx(1 / 150)
    assert (rates["crash_rate"], rates["restarts"]) == (0, 0)


def test_memory_that_is_full_is_told_apart(spoiled: Callable[..., Supervisor]) -> None:
    supervisor = spoiled("memory", "train", "evaluation")
    error = supervisor.core_error()
    assert error is not None
    assert error["kind"] == "out_of_memory"
    assert supervisor.results["evaluation"]["status"] == "skipped"
    rates = rates_of(supervisor)
    assert (rates["failed"], rates["attempted"], rates["crash_rate"]) == (1, 1, 1.0)


def test_answers_from_numbers_that_are_not_finite_are_failed_requests(
    spoiled: Callable[..., Supervisor],
) -> None:
    supervisor = spoiled("answers", "inference")
    loads = supervisor.results["inference"]["data"]["loads"]
    assert all(load["failed"] == load["requests"] > 0 for load in loads)
    assert all(load["response_ms"] is None and load["requests_per_s"] == 0 for load in loads)
    assert rates_of(supervisor)["errors"] == sum(load["requests"] for load in loads)
