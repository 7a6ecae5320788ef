"""The training loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch.nn.utils import clip_grad_norm_

from gpulab_bench.clock import clock_for
from gpulab_bench.config import Preset
from gpulab_bench.device import Device, autocast
from gpulab_bench.losses import answer_loss
from gpulab_bench.model import Decoder
from gpulab_bench.stop import Stop

CLIP_NORM = 1.0
PROGRESS_EVERY = 50
# Losses and times stay on the device for as many steps. A reading waits for the GPU, and a GPU that
# is waited for in every step idles while Python prepares the next one.
READ_EVERY = 10


@dataclass
class TrainingRun:
    """What the steps gave, in order; it may hold fewer steps than the preset asks for.

    Attributes:
        losses: mean cross-entropy of the answer tokens, in nats; None where it was not finite.
        step_s: seconds of each step.
        nonfinite_steps: steps whose loss or gradient was not finite; their update was left out.
        scaler_skips: updates that the fp16 gradient scaler left out while it looked for its
            scale. That is how it works, so they are not counted as non-finite.
        epochs_s: seconds of each whole epoch, by the wall clock.
    """

    losses: list[float | None] = field(default_factory=list)
    step_s: list[float] = field(default_factory=list)
    nonfinite_steps: int = 0
    scaler_skips: int = 0
    epochs_s: list[float] = field(default_factory=list)


def make_optimiser(parameters: Iterable[torch.nn.Parameter]) -> torch.optim.AdamW:
    """The optimiser of every training; its learning rate is set at each step."""
    return torch.optim.AdamW(parameters, lr=0.0, betas=(0.9, 0.98), weight_decay=0.01, fused=True)


class UpdatesWeights(Protocol):
    """What `run_steps` needs of an updater; see `Updater` and `sharded.ShardedUpdater`."""

    scaled: bool

    def backward(self, loss: torch.Tensor) -> None:
        """Add the gradient of a loss."""

    def update(self, loss: torch.Tensor, learning_rate: float) -> torch.Tensor:
        """Update the weights, and return the gradients' norm."""


class Updater:
    """AdamW that leaves out a step which is not finite, without reading anything back.

    The fused optimiser asks a number on the device whether to update: in fp16 the gradient scaler
    gives it, else this class does, by the same two attributes.
    """

    def __init__(self, parameters: Iterable[torch.nn.Parameter], device: Device) -> None:
        """Make the optimiser and, for fp16, the gradient scaler."""
        self.parameters = list(parameters)
        self.scaled = device.precision == "fp16"
        self._optimiser = make_optimiser(self.parameters)
        self._scaler = torch.amp.GradScaler(device.torch_device.type, enabled=self.scaled)

    def backward(self, loss: torch.Tensor) -> None:
        """Add the gradient of a loss."""
        self._scaler.scale(loss).backward()

    def update(self, loss: torch.Tensor, learning_rate: float) -> torch.Tensor:
        """Clip the gradients, update the weights if all is finite, and forget the gradients.

        Args:
            loss: of the whole step, detached.
            learning_rate: of this step.

        Returns:
            The gradients' norm before clipping; a scalar on the device.
        """
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate
        self._scaler.unscale_(self._optimiser)
        norm: torch.Tensor = clip_grad_norm_(self.parameters, CLIP_NORM)
        if not self.scaled:
            self._optimiser.grad_scale = None
            self._optimiser.found_inf = (~torch.isfinite(loss + norm)).float()
        self._scaler.step(self._optimiser)
        self._scaler.update()
        self._optimiser.zero_grad(set_to_none=True)
        return norm


@dataclass(frozen=True)
class Steps:
    """What to do in each step.

    Attributes:
        batch: makes the micro-batches of a step.
        loss: the mean loss of one of them, in nats, in the device's precision.
        learning_rate: of a step, by its number from 0.
        count: steps to do.
        warmup: first steps, before the first epoch begins.
        epoch: steps of an epoch; 0 where none is timed.
    """

    batch: Callable[[], Iterable[torch.Tensor]]
    loss: Callable[[torch.Tensor], torch.Tensor]
    learning_rate: Callable[[int], float]
    count: int
    warmup: int = 0
    epoch: int = 0

    def ends_epoch(self, step: int) -> bool:
        """Whether an epoch ends, or the warm-up before the first one, with this step."""
        done = step + 1 - self.warmup
        return self.epoch > 0 and done >= 0 and done % self.epoch == 0


def run_steps(
    steps: Steps,
    updater: UpdatesWeights,
    device: Device,
    stop: Stop,
    progress: Callable[[str], None],
) -> TrainingRun:
    """Do the steps until all are done or ``stop`` gives a reason.

    A step is timed from drawing its batch to the end of its update. Losses and gradient norms stay
    on the device and are read `READ_EVERY` steps at a time; a step that is not finite is skipped on
    the device itself, where it happens, and counted at the reading. An epoch is timed by the wall
    clock, from a reading to a reading, with all that happens between its steps.
    """
    run = TrainingRun()
    epoch_began = time.perf_counter() if steps.warmup == 0 else None
    clock = clock_for(device.torch_device)
    pending: list[torch.Tensor] = []
    for step in range(steps.count):
        if stop.reason() is not None:
            break
        clock.begin()
        micro = list(steps.batch())
        total = torch.zeros((), device=device.torch_device)
        for tokens in micro:
            with autocast(device):
                loss = steps.loss(tokens) / len(micro)
            updater.backward(loss)
            total += loss.detach()
        norm = updater.update(total, steps.learning_rate(step))
        clock.end()
        pending.append(torch.stack([total, norm]))
        if len(pending) == READ_EVERY or steps.ends_epoch(step):
            _read(run, pending, clock.read(), scaled=updater.scaled)
        if steps.ends_epoch(step):
            now = time.perf_counter()
            if epoch_began is not None:
                run.epochs_s.append(now - epoch_began)
            epoch_began = now
        if (step + 1) % PROGRESS_EVERY == 0 or step + 1 == steps.count:
            _read(run, pending, clock.read(), scaled=updater.scaled)
            progress(_line(run, steps.count))
    _read(run, pending, clock.read(), scaled=updater.scaled)
    return run


def _read(
    run: TrainingRun, pending: list[torch.Tensor], step_s: list[float], *, scaled: bool
) -> None:
    """Move what is pending, [loss, norm] of each step, into the run."""
    if not pending:
        return
    run.step_s += step_s
    values = torch.stack(pending)
    for (loss, _), (loss_ok, norm_ok) in zip(values.tolist(), values.isfinite().tolist()):
        run.losses.append(loss if loss_ok else None)
        if scaled and loss_ok and not norm_ok:
            run.scaler_skips += 1
        elif not (loss_ok and norm_ok):
            run.nonfinite_steps += 1
    pending.clear()


def _line(run: TrainingRun, planned: int) -> str:
    loss = run.losses[-1]
    shown = "not finite" if loss is None else f"{loss:.4f}"
    return f"step {len(run.losses)}/{planned} loss {shown} {run.step_s[-1] * 1000:.1f} ms"


def train(
    model: Decoder,
    preset: Preset,
    items: torch.Tensor,
    device: Device,
    generator: torch.Generator,
    stop: Stop,
    progress: Callable[[str], None],
) -> TrainingRun:
    """Train on the preset's task until its steps are done or ``stop`` gives a reason.

    After the warm-up each epoch asks every item once, in an order of its own; the warm-up takes the
    first items of an order that is not finished.

    Args:
        model: the model, on the device.
        preset: steps, batch and learning rate.
        items: training split, the fixed data set, [N, 2K + 1], on the device.
        device: where to run, and in which precision.
        generator: draws the batches, on the device.
        stop: asked before each step.
        progress: takes a line for a person to read.
    """
    batches = (
        batch
        for count in _passes(preset)
        for batch in _shuffled(items, preset.batch_items, count, generator)
    )

    def batch() -> Iterable[torch.Tensor]:
        return (next(batches),)

    def loss(tokens: torch.Tensor) -> torch.Tensor:
        return answer_loss(model(tokens[:, :-1]), tokens)

    steps = Steps(
        batch,
        loss,
        preset.learning_rate_at,
        preset.steps,
        preset.warmup_steps,
        preset.epoch_steps,
    )
    return run_steps(steps, Updater(model.parameters(), device), device, stop, progress)


def _passes(preset: Preset) -> Iterator[int]:
    """Batches of the warm-up, then of one epoch after the other."""
    if preset.warmup_steps:
        yield preset.warmup_steps
    while True:
        yield preset.epoch_steps


def _shuffled(
    items: torch.Tensor, size: int, count: int, generator: torch.Generator
) -> Iterator[torch.Tensor]:
    """Yield ``count`` batches of ``size`` items in a new order; at its end it begins again."""
    order = torch.randperm(len(items), generator=generator, device=items.device)
    for number in range(count):
        at = number * size % max(1, len(items) - size + 1)
        yield items[order[at : at + size]]
