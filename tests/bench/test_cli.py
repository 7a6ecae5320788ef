"""The packed file as a node runs it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import jsonschema
import pytest
import torch

from gpulab_bench.measure import parse_vm_hwm

Start = Callable[..., "subprocess.Popen[str]"]


def test_a_complete_run(start: Start, schema: dict[str, Any]) -> None:
    process = start("--profile", "quick", "--budget-s", "300", "--seed", "1234", "--json", "-")
    stdout, stderr = process.communicate(timeout=240)
    document = json.loads(stdout)
    jsonschema.validate(document, schema)
    assert process.returncode == 0, stderr
    assert document["partial"] is False
    assert {stage["status"] for stage in document["stages"]} == {"done"}
    assert document["evaluation"]["exact_match"] >= 0.9
    scores = [document["evaluation"][name] for name in ("precision", "recall", "f1")]
    assert all(0.5 < score < 1 for score in scores)
    assert len(set(scores)) == 3
    assert document["evaluation"]["classes"] == 4
    assert document["training"]["epochs_timed"] == 1
    assert document["training"]["epoch_s"] > 0
    assert document["preset"] == "xs"
    for window in ("train", "ddp"):
        moved = document["usage"]["windows"][window]
        assert moved["seconds"] > 0
        assert set(moved) == {"seconds", "disk", "network"}
    assert document["training"]["tokens_per_s"] > 0
    assert document["memory"]["host_peak_bytes"] > 50_000_000
    assert stdout.count("\n") == 1
    assert "held-out exact match" in stderr


def test_each_stage_says_what_it_measured(start: Start) -> None:
    process = start(
        "--profile",
        "quick",
        "--budget-s",
        "300",
        "--stages",
        "gemm,memory_bandwidth,sdc,inference,disk",
    )
    stdout, _ = process.communicate(timeout=240)
    document = json.loads(stdout)
    assert document["gemm"]["devices"][0]["tflops"] > 0
    assert document["memory_bandwidth"]["devices"][0]["device_gbs"] > 0
    first, second = document["sdc"]["devices"][0]["runs"]
    assert first == second
    assert document["sdc"]["devices"][0]["loss_last"] < document["sdc"]["devices"][0]["loss_first"]
    assert [load["concurrency"] for load in document["inference"]["loads"]] == [1, 8]
    for load in document["inference"]["loads"]:
        times = load["response_ms"]
        assert load["failed"] == 0
        assert load["requests"] >= 80
        assert load["warmup_requests"] == 16
        low, high = load["requests_per_s_95"]
        assert 0 < low <= load["requests_per_s"] <= high
        assert 0 < times["p50"] <= times["p95"] <= times["p99"]
    assert document["disk"]["write_mbs"] > 0
    assert document["disk"]["read_mbs"] > 0
    assert document["usage"]["host_memory"]["used_max_bytes"] > 0
    assert document["allreduce"] is None


def test_sigterm_leaves_a_partial_document(start: Start, schema: dict[str, Any]) -> None:
    process = start("--profile", "quick", "--budget-s", "300", "--stages", "train,evaluation")
    assert process.stderr is not None
    for line in process.stderr:
        if "step 50/150" in line:
            process.send_signal(signal.SIGTERM)
            break
    stdout, _ = process.communicate(timeout=60)
    document = json.loads(stdout)
    jsonschema.validate(document, schema)
    assert process.returncode == 6
    assert (document["partial"], document["stopped_by"]) == (True, "SIGTERM")
    assert document["evaluation"] is None
    assert 50 <= document["training"]["steps_done"] < document["training"]["steps_planned"]


def test_a_budget_that_runs_out_leaves_a_partial_document(
    start: Start, schema: dict[str, Any]
) -> None:
    process = start("--budget-s", "0.1", "--json", "-")
    stdout, _ = process.communicate(timeout=60)
    document = json.loads(stdout)
    jsonschema.validate(document, schema)
    assert process.returncode == 5
    assert (document["partial"], document["stopped_by"]) == (True, "budget")
    assert document["training"] is None
    assert {stage["status"] for stage in document["stages"]} == {"unreached"}


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there(start: Start, schema: dict[str, Any]) -> None:
    process = start("--device", "cuda", "--json", "-")
    stdout, stderr = process.communicate(timeout=60)
    document = json.loads(stdout)
    jsonschema.validate(document, schema)
    assert process.returncode == 4
    assert document["error"]["kind"] == "device"
    assert "cuda was asked for, but" in stderr


def test_no_numpy_is_no_reason_to_warn(start: Start, tmp_path: Path) -> None:
    package = tmp_path / "numpy"
    package.mkdir()
    (package / "__init__.py").write_text("raise ModuleNotFoundError('no numpy', name='numpy')\n")
    process = start("--stages", "probe", PYTHONPATH=str(tmp_path))
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "NumPy" not in stderr
    # The stand-in was in the way: without the filter PyTorch does warn.
    bare = subprocess.run(
        [sys.executable, "-c", "import torch"],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "NumPy" in bare.stderr


@pytest.mark.parametrize(
    ("status", "expected"),
    [("Name:\tpython\nVmHWM:\t  355400 kB\n", 355400 * 1024), ("Name:\tpython\n", None)],
)
def test_peak_memory_of_the_host(status: str, expected: int | None) -> None:
    assert parse_vm_hwm(status) == expected
