"""Ways to run the benchmark; all of this needs PyTorch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
import torch

from gpulab_bench.config import PRESETS, Preset
from gpulab_bench.data import draw_items
from gpulab_bench.device import Device, open_device
from gpulab_bench.evaluate import Evaluation, evaluate
from gpulab_bench.model import Decoder
from gpulab_bench.pack import pack
from gpulab_bench.stop import Stop
from gpulab_bench.train import TrainingRun, train

PYTHON_MODULES = Path(__file__).parents[2] / "python_modules"


class StopAfter(Stop):
    """Gives a reason once it has been asked a number of times; None is never."""

    def __init__(self, asked: int | None = None) -> None:
        """Count down from ``asked``."""
        super().__init__(None, 0.0)
        self._left = asked

    def reason(self) -> str | None:
        if self._left is None:
            return None
        self._left -= 1
        return "budget" if self._left < 0 else None


class Bench:
    """Trains and evaluates as the command line does, and keeps what it says."""

    def __init__(self, device: Device) -> None:
        """Run on this device."""
        self.device = device
        self.lines: list[str] = []

    def run(
        self,
        preset: Preset,
        *,
        seed: int = 1234,
        precision: str = "",
        asked: int | None = None,
        touch: Callable[[Decoder], None] = lambda _model: None,
    ) -> tuple[TrainingRun, Evaluation | None]:
        """Run a preset; ``touch`` may spoil the model first."""
        where = self.device.torch_device
        device = Device(**{**vars(self.device), "precision": precision or self.device.precision})
        stop = StopAfter(asked)
        torch.manual_seed(seed)
        generator = torch.Generator(where).manual_seed(seed)
        train_items = draw_items(preset.task, "train", generator)
        heldout_items = draw_items(preset.task, "heldout", generator)
        model = Decoder(preset.model).to(where)
        touch(model)
        run = train(model, preset, train_items, device, generator, stop, self.lines.append)
        return run, evaluate(model, heldout_items, device, stop)


@pytest.fixture(scope="session")
def device() -> Device:
    return open_device("auto", PRESETS["xs"].cpu_threads)


@pytest.fixture
def bench(device: Device) -> Bench:
    return Bench(device)


@pytest.fixture(scope="session")
def whole_run(device: Device) -> tuple[TrainingRun, Evaluation | None, list[str]]:
    """The preset xs from start to end."""
    bench = Bench(device)
    return (*bench.run(PRESETS["xs"]), bench.lines)


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bench") / "gpulab_bench.pyz"
    pack(target)
    return target


@pytest.fixture(scope="session")
def schema() -> dict[str, Any]:
    path = PYTHON_MODULES / "gpulab_bench/schemas/result.schema.json"
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


@pytest.fixture
def start(archive: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the packed benchmark, as a node does."""
    started: list[subprocess.Popen[str]] = []

    def start_bench(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(archive), *arguments],
            cwd="/",
            # One that is killed leaves its folder behind.
            env={**os.environ, "TMPDIR": str(tmp_path), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start_bench
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()
