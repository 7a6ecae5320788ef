"""The training loop."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_

from gpulab_bench.config import Preset
from gpulab_bench.device import Device, autocast
from gpulab_bench.measure import timer_for
from gpulab_bench.model import Decoder
from gpulab_bench.stop import Stop

CLIP_NORM = 1.0
PROGRESS_EVERY = 50


@dataclass
class TrainingRun:
    """What the steps gave, in order; it may hold fewer steps than the preset asks for.

    Attributes:
        losses: mean cross-entropy of the answer tokens, in nats; None where it was not finite.
        step_s: seconds of each step.
        nonfinite_steps: steps whose loss or gradient was not finite; their update was left out.
        scaler_skips: updates that the fp16 gradient scaler left out while it looked for its
            scale. That is how it works, so they are not counted as non-finite.
    """

    losses: list[float | None] = field(default_factory=list)
    step_s: list[float] = field(default_factory=list)
    nonfinite_steps: int = 0
    scaler_skips: int = 0


def answer_loss(logits: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
    """Cross-entropy over the answer tokens only: the source is random, nothing can predict it.

    Args:
        logits: predictions for ``items[:, 1:]``, [B, 2K, V].
        items: ``source, separator, answer``, [B, 2K + 1].

    Returns:
        A scalar, in nats.
    """
    source_tokens = items.shape[1] // 2
    answers = items[:, source_tokens + 1 :]
    # The separator's position predicts the first answer token.
    return functional.cross_entropy(
        logits[:, source_tokens:].flatten(0, 1).float(), answers.flatten()
    )


def train(
    model: Decoder,
    preset: Preset,
    items: torch.Tensor,
    device: Device,
    generator: torch.Generator,
    stop: Stop,
    progress: Callable[[str], None],
) -> TrainingRun:
    """Train until the preset's steps are done or ``stop`` gives a reason.

    A step is timed from drawing its batch to the end of its update. The loss is read back in
    every step: it costs one synchronisation and finds a non-finite step where it happens.

    Args:
        model: the model, on the device.
        preset: steps, batch and learning rate.
        items: training split, [N, 2K + 1], on the device.
        device: where to run, and in which precision.
        generator: draws the batches, on the device.
        stop: asked before each step.
        progress: takes a line for a person to read.
    """
    run = TrainingRun()
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=preset.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    scaled = device.precision == "fp16"
    scaler = torch.amp.GradScaler(device.torch_device.type, enabled=scaled)
    timer = timer_for(device.torch_device)
    for step in range(preset.steps):
        if stop.reason() is not None:
            break
        for group in optimiser.param_groups:
            group["lr"] = preset.learning_rate_at(step)
        timer.start()
        chosen = torch.randint(
            len(items), (preset.batch_items,), generator=generator, device=items.device
        )
        batch = items[chosen]
        with autocast(device):
            loss = answer_loss(model(batch[:, :-1]), batch)
        optimiser.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.unscale_(optimiser)
        norm = clip_grad_norm_(model.parameters(), CLIP_NORM)
        loss_value, norm_value = torch.stack([loss.detach(), norm]).tolist()
        finite = math.isfinite(loss_value) and math.isfinite(norm_value)
        if finite or scaled:  # the scaler leaves out the update itself, and lowers its scale
            scaler.step(optimiser)
            scaler.update()
        run.step_s.append(timer.stop())
        run.losses.append(loss_value if math.isfinite(loss_value) else None)
        if not finite:
            if scaled and math.isfinite(loss_value):
                run.scaler_skips += 1
            else:
                run.nonfinite_steps += 1
        if (step + 1) % PROGRESS_EVERY == 0 or step + 1 == preset.steps:
            progress(
                f"step {step + 1}/{preset.steps} loss {loss_value:.4f} "
                f"{run.step_s[-1] * 1000:.1f} ms"
            )
    return run
