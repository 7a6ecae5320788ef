"""Training on one device: how fast it goes, and that the loss falls."""

from __future__ import annotations

from typing import Any

from gpulab_bench.context import Context, Skip
from gpulab_bench.memory import check_fits
from gpulab_bench.peaks import mfu, peak_tflops
from gpulab_bench.result import training_section


def run(context: Context) -> dict[str, Any]:
    """Make data and model from the seed, train, and leave the model to the next stages.

    Returns:
        ``training`` and ``memory``, sections of the document.

    Raises:
        Skip: no single device holds the preset, and the stage ddp trains it over all of them.
        DoesNotFitError: the preset needs more memory than there is; nothing was allocated yet.
        torch.OutOfMemoryError: the GPU has too little free memory.
    """
    import torch

    from gpulab_bench.data import draw_training
    from gpulab_bench.device import available_bytes
    from gpulab_bench.measure import gpu_peak_bytes, host_peak_bytes, reset_peaks
    from gpulab_bench.model import Decoder
    from gpulab_bench.train import train

    preset, device, seed = context.preset, context.device, context.order.seed
    context.progress(f"preset {preset.name} on {device.name}, {device.precision}")
    shared = context.only_shared()
    if shared:
        raise Skip(shared)
    need = check_fits(preset, device.precision, available_bytes(device))
    reset_peaks(device.torch_device)
    torch.manual_seed(seed)
    generator = torch.Generator(device.torch_device).manual_seed(seed)
    items = draw_training(preset.task, generator)
    with device.torch_device:
        model = Decoder(preset.model)
    with context.window("train", alone=True):
        steps = train(model, preset, items, device, generator, context.stop, context.progress)
    if len(steps.losses) == preset.steps:
        context.keep_model(model)
    training = training_section(
        preset,
        steps.losses,
        steps.step_s,
        steps.nonfinite_steps,
        steps.scaler_skips,
        steps.epochs_s,
    )
    # A task that is shorter than the context says nothing of the card: the stage speed does.
    if preset.speed is None:
        peak = peak_tflops(device.name, device.precision)
        training["mfu"] = mfu(training["tokens_per_s"], preset.model, preset.task.tokens, peak)
    return {
        "training": training,
        "memory": {
            "host_peak_bytes": host_peak_bytes(),
            "gpu_peak_bytes": gpu_peak_bytes(device.torch_device),
            "estimate_bytes": need.describe(),
        },
    }
