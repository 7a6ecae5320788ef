"""Training speed on one GPU: random tokens over the whole context, eager and compiled."""

from __future__ import annotations

import os
import shutil
from typing import Any

from gpulab_bench.config import SPEED_MODES
from gpulab_bench.context import Context, Skip
from gpulab_bench.memory import Fit, fit_speed, speed_of
from gpulab_bench.peaks import mfu, peak_tflops
from gpulab_bench.result import step_times


def run(context: Context) -> dict[str, Any]:
    """Train on random tokens in each mode that was asked for.

    Returns:
        The document's section ``speed``: how the steps were split, the estimate, and per mode the
        numbers.

    Raises:
        Skip: the preset has no run for speed, there is no GPU, or no single one holds the preset.
        DoesNotFitError: not even one item fits.
    """
    if context.preset.speed is None:
        raise Skip(f"preset {context.preset.name} is measured while it learns")
    if not context.on_gpu:
        raise Skip("a step of random tokens takes minutes on a CPU: only GPUs are measured by it")
    shared = context.only_shared()
    if shared:
        raise Skip(shared)
    asked = context.order.mode
    return measure(context, SPEED_MODES if asked == "both" else (asked,))


def measure(context: Context, modes: tuple[str, ...]) -> dict[str, Any]:
    """Measure these modes, each with a fresh model, on whatever device there is."""
    import torch

    from gpulab_bench.device import available_bytes

    device = context.device
    if device.torch_device.type == "cuda":
        torch.cuda.empty_cache()
    fit = fit_speed(context.preset, device.precision, available_bytes(device))
    found: dict[str, Any] = {
        "batch_items": fit.batch_items,
        "accumulate": fit.accumulate,
        "tokens_per_step": fit.batch_items * fit.accumulate * context.preset.model.context,
        "estimate_bytes": fit.estimate.describe(),
        "available_bytes": fit.available,
        "peak_tflops": peak_tflops(device.name, device.precision),
        "modes": [],
        "not_measured": {},
    }
    with context.window("train", alone=True):
        for mode in modes:
            reason = not_possible(mode)
            if reason:
                context.progress(f"{mode}: {reason}")
                found["not_measured"][mode] = reason
            elif context.stop.reason() is None:
                found["modes"].append(_mode(context, fit, found, mode))
    return found


def not_possible(mode: str) -> str:
    """Say why a mode can't be measured here, or nothing.

    Triton, which ``torch.compile`` makes a GPU's kernels with, compiles their launchers by ``$CC``,
    gcc or clang, and gives up without one.
    """
    if mode != "compile" or os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang"):
        return ""
    return "there is no C compiler, which Triton needs: install gcc"


def _mode(context: Context, fit: Fit, found: dict[str, Any], mode: str) -> dict[str, Any]:
    import torch

    from gpulab_bench.measure import gpu_peak_bytes
    from gpulab_bench.model import Decoder
    from gpulab_bench.speed import measure_speed

    preset, device, seed = context.preset, context.device, context.order.seed
    where = device.torch_device
    torch.manual_seed(seed)
    generator = torch.Generator(where).manual_seed(seed)
    if where.type == "cuda":
        torch.cuda.reset_peak_memory_stats(where)
    with where:
        model = Decoder(preset.model)
    context.progress(f"{mode}: {fit.batch_items} x {fit.accumulate} items of random tokens")
    steps = measure_speed(
        model, preset, fit, mode, device, generator, context.stop, context.progress
    )
    times = step_times(steps.step_s[speed_of(preset).warmup_steps :])
    mean_s = times["mean"]
    tokens_per_s = found["tokens_per_step"] / mean_s if mean_s else None
    return {
        "mode": mode,
        "steps_done": len(steps.losses),
        "nonfinite_steps": steps.nonfinite_steps,
        "step_s": times,
        "tokens_per_s": tokens_per_s,
        "mfu": mfu(tokens_per_s, preset.model, preset.model.context, found["peak_tflops"]),
        "gpu_peak_bytes": gpu_peak_bytes(where),
    }
