"""Training speed: random tokens, the fastest kernels, eager or compiled."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import torch
from torch import nn

from gpulab_bench.config import SPEED_MODES, Preset
from gpulab_bench.device import Device, full_speed
from gpulab_bench.losses import next_token_loss
from gpulab_bench.memory import Fit, loss_chunk, speed_of
from gpulab_bench.model import Decoder
from gpulab_bench.stop import Stop
from gpulab_bench.train import Steps, TrainingRun, Updater, run_steps

# Of random tokens nothing is learned; the rate only has to keep the weights finite.
LEARNING_RATE = 1e-4
# A mode takes no longer than this, once so many steps are timed: a V100 takes half a second for a
# step of japanese-small, ten times as long as an H100.
MOST_S = 25.0
LEAST_STEPS = 10


class Enough(Stop):
    """Ends a run for speed after its time, once enough steps are done to tell the speed."""

    def __init__(self, run: Stop, least: int, seconds: float) -> None:
        """Begin.

        Args:
            run: the whole run's; its reasons hold here, too.
            least: steps that are done in any case.
            seconds: after which no further one is begun.
        """
        super().__init__(None, 0.0)
        self._run, self._least, self._until = run, least, time.perf_counter() + seconds

    def reason(self) -> str | None:
        """The whole run's reason, or ``time``; it is asked once before each step."""
        self._least -= 1
        over = self._least < 0 and time.perf_counter() >= self._until
        return self._run.reason() or ("time" if over else None)


class LanguageModelLoss(nn.Module):
    """The model and its loss as one function of the tokens, so that both are compiled together."""

    def __init__(self, model: Decoder) -> None:
        """Wrap the model; its parameters stay its own."""
        super().__init__()
        self.model = model

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Mean loss in nats of predicting ``tokens[:, 1:]``; tokens: [B, T + 1]."""
        hidden = self.model.hidden(tokens[:, :-1])
        return next_token_loss(hidden, self.model.head.weight, tokens[:, 1:])


def compiled(model: Decoder, rows: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """The loss with its model compiled; a chunked loss makes its own gradients and stays as it is.

    Args:
        model: the model.
        rows: B·T of a micro-batch.

    Returns:
        Tokens [B, T + 1] to the mean loss in nats.
    """
    if loss_chunk(rows, model.head.weight.shape[0]) == rows:
        whole: Callable[[torch.Tensor], torch.Tensor] = torch.compile(LanguageModelLoss(model))
        return whole
    hidden = torch.compile(model.hidden)
    return lambda tokens: next_token_loss(hidden(tokens[:, :-1]), model.head.weight, tokens[:, 1:])


def measure_speed(
    model: Decoder,
    preset: Preset,
    fit: Fit,
    mode: str,
    device: Device,
    generator: torch.Generator,
    stop: Stop,
    progress: Callable[[str], None],
) -> TrainingRun:
    """Train on random tokens for the preset's speed steps, or until ``stop`` gives a reason.

    Args:
        model: the model, on the device.
        preset: its run for speed.
        fit: micro-batches that fit the memory.
        mode: ``eager`` or ``compile``; compiling happens in the first step, which is warm-up.
        device: where to run, and in which precision.
        generator: draws the tokens, on the device.
        stop: asked before each step.
        progress: takes a line for a person to read.

    Raises:
        ValueError: the mode is neither.
    """
    if mode not in SPEED_MODES:
        msg = f"mode must be one of {', '.join(SPEED_MODES)}, not {mode!r}"
        raise ValueError(msg)
    shape = (fit.batch_items, preset.model.context + 1)
    rows = fit.batch_items * preset.model.context

    def batch() -> Iterable[torch.Tensor]:
        for _ in range(fit.accumulate):
            yield torch.randint(
                preset.model.vocab_size, shape, generator=generator, device=generator.device
            )

    loss = compiled(model, rows) if mode == "compile" else LanguageModelLoss(model)
    wanted = speed_of(preset)
    steps = Steps(batch, loss, lambda _step: LEARNING_RATE, wanted.steps)
    enough = Enough(stop, wanted.warmup_steps + LEAST_STEPS, MOST_S)
    with full_speed():
        return run_steps(steps, Updater(model.parameters(), device), device, enough, progress)
