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
    process = start("--preset", "xs", "--seed", "1234", "--json", "-")
    stdout, stderr = process.communicate(timeout=120)
    document = json.loads(stdout)
    jsonschema.validate(document, schema)
    assert process.returncode == 0
    assert document["partial"] is False
    assert document["evaluation"]["exact_match"] >= 0.9
    assert document["training"]["tokens_per_s"] > 0
    assert document["memory"]["host_peak_bytes"] > 50_000_000
    assert sum(document["durations_s"].values()) <= document["wall_s"]
    assert stdout.count("\n") == 1
    assert "held-out exact match" in stderr


def test_sigterm_leaves_a_partial_document(start: Start, schema: dict[str, Any]) -> None:
    process = start("--json", "-")
    assert process.stderr is not None
    for line in process.stderr:
        if "imported in" in line:
            process.send_signal(signal.SIGTERM)
            break
    stdout, _ = process.communicate(timeout=60)
    document = json.loads(stdout)
    jsonschema.validate(document, schema)
    assert process.returncode == 6
    assert (document["partial"], document["stopped_by"]) == (True, "SIGTERM")
    assert document["evaluation"] is None
    assert document["training"]["steps_done"] < document["training"]["steps_planned"]


def test_a_budget_that_runs_out_leaves_a_partial_document(
    start: Start, schema: dict[str, Any]
) -> None:
    process = start("--budget-s", "0.1", "--json", "-")
    stdout, _ = process.communicate(timeout=60)
    document = json.loads(stdout)
    jsonschema.validate(document, schema)
    assert process.returncode == 5
    assert (document["partial"], document["stopped_by"]) == (True, "budget")
    assert document["training"]["steps_done"] == 0


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
    process = start("--budget-s", "0.1", PYTHONPATH=str(tmp_path))
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 5
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
