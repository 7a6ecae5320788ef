"""Documents of healthy runs, and interpreters that are scripts."""

from __future__ import annotations

import json
import stat
import sys
import textwrap
from pathlib import Path
from typing import Any, Callable

import pytest

from gpulab_bench.config import PRESETS
from gpulab_bench.result import Report, training_section

SCHEMA = Path(__file__).parents[3] / "python_modules/gpulab_bench/schemas/result.schema.json"

CPU = {
    "type": "cpu",
    "name": "Intel(R) Xeon(R) Processor",
    "uuid": None,
    "bdf": None,
    "capability": None,
    "memory_bytes": None,
    "precision": "fp32",
    "threads": 1,
}
GPU = {
    "type": "cuda",
    "name": "NVIDIA H100 80GB HBM3",
    "uuid": "GPU-6f1c2b8e-0000-4a5b-9c3d-2f1e0d9c8b7a",
    "bdf": "0000:3b:00.0",
    "capability": "9.0",
    "memory_bytes": 85_520_809_984,
    "precision": "bf16",
    "threads": 1,
}


def healthy(device: dict[str, Any] = CPU) -> dict[str, Any]:
    """A complete document of a healthy run, put together by the benchmark's own code."""
    preset = PRESETS["xs"]
    on_gpu = device["type"] == "cuda"
    report = Report(preset, seed=1234, requested_device="auto")
    report.environment = {
        "python": "3.11.7",
        "torch": "2.13.0+cu130" if on_gpu else "2.13.0+cpu",
        "cuda_build": "13.0" if on_gpu else None,
        "visible_gpus": int(on_gpu),
    }
    report.device = dict(device)
    losses = [3.48 * 0.96**step for step in range(preset.steps)]
    report.training = training_section(preset, losses, [0.008, 0.009] * 75, 0, 0)
    report.evaluation = {"items": 512, "exact_match": 1.0, "token_accuracy": 1.0}
    report.memory = {
        "host_peak_bytes": 355_430_400,
        "gpu_peak_bytes": 12_582_912 if on_gpu else None,
    }
    report.durations_s = {"import": 1.9, "setup": 1.9, "train": 1.4, "evaluate": 0.3}
    return report.document(wall_s=5.5)


@pytest.fixture
def cpu_document() -> dict[str, Any]:
    return healthy()


@pytest.fixture
def gpu_document() -> dict[str, Any]:
    return healthy(GPU)


@pytest.fixture(scope="session")
def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return loaded


@pytest.fixture
def fake_python(tmp_path: Path) -> Callable[[str], str]:
    """Make an executable that stands in for PyTorch's interpreter: a Python script."""

    def make(body: str) -> str:
        path = tmp_path / "fake_python"
        # By way of sh, as pip does: a shebang cannot name a path with a space in it.
        by_sh = f"#!/bin/sh\n'''exec' \"{sys.executable}\" \"$0\" \"$@\"\n' '''\n"
        path.write_text(f"{by_sh}{textwrap.dedent(body)}", encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    return make
