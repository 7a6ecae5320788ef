"""One run on one device: make data and model, train, evaluate, measure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import torch

from gpulab_bench.data import draw_items
from gpulab_bench.device import open_device
from gpulab_bench.evaluate import evaluate
from gpulab_bench.measure import gpu_peak_bytes, host_peak_bytes
from gpulab_bench.model import Decoder
from gpulab_bench.result import Report, training_section
from gpulab_bench.stop import Stop
from gpulab_bench.train import train


def run_on_device(
    report: Report,
    stop: Stop,
    lap: Callable[[str], None],
    progress: Callable[[str], None],
) -> None:
    """Fill in the report's sections, in order, until done or until ``stop`` gives a reason.

    Args:
        report: names the preset, seed and device; receives the results.
        stop: asked between two pieces of work.
        lap: ends a named part of the run's wall time.
        progress: takes a line for a person to read.

    Raises:
        DeviceUnavailableError: the device that was asked for cannot be used.
        torch.OutOfMemoryError: the GPU has too little free memory.
    """
    preset = report.preset
    device = open_device(report.requested_device, preset.cpu_threads)
    report.device = device.describe()
    progress(f"preset {preset.name} on {device.name}, {device.precision}")

    torch.manual_seed(report.seed)
    generator = torch.Generator(device.torch_device).manual_seed(report.seed)
    train_items = draw_items(preset.task, "train", generator)
    heldout_items = draw_items(preset.task, "heldout", generator)
    model = Decoder(preset.model).to(device.torch_device)
    lap("setup")

    steps = train(model, preset, train_items, device, generator, stop, progress)
    report.training = training_section(
        preset, steps.losses, steps.step_s, steps.nonfinite_steps, steps.scaler_skips
    )
    lap("train")

    scores = evaluate(model, heldout_items, device, stop)
    if scores is not None:
        report.evaluation = asdict(scores)
        progress(f"held-out exact match {scores.exact_match:.3f} of {scores.items} items")
    lap("evaluate")
    report.memory = {
        "host_peak_bytes": host_peak_bytes(),
        "gpu_peak_bytes": gpu_peak_bytes(device.torch_device),
    }
