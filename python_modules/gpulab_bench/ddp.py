"""Distributed data-parallel training: every rank a copy of the model and a batch of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from gpulab_bench.config import Preset
from gpulab_bench.data import draw_items
from gpulab_bench.device import Device, autocast, full_speed
from gpulab_bench.digest import digest
from gpulab_bench.losses import answer_loss
from gpulab_bench.model import Decoder
from gpulab_bench.result import ENDS, step_times
from gpulab_bench.stats import mean
from gpulab_bench.stop import Stop
from gpulab_bench.train import Steps, TrainingRun, Updater, run_steps

# Steps of one process alone, warm-up included: what the group's speed is compared with.
ALONE_STEPS = 30
# Ranks stop together or not at all: one that left the loop by itself would leave the others in an
# all-reduce. Signals end the process, and time-outs the group.
_GO_ON = Stop(None, 0.0)


class TaskLoss(nn.Module):
    """The model and the loss of the task, as one function of the items."""

    def __init__(self, model: Decoder) -> None:
        """Wrap the model; its parameters stay its own."""
        super().__init__()
        self.model = model

    def forward(self, items: torch.Tensor) -> torch.Tensor:
        """Mean loss in nats of the answers; items: [B, 2K + 1]."""
        return answer_loss(self.model(items[:, :-1]), items)


@dataclass(frozen=True)
class Alike:
    """What must be the same on all ranks when the training is over.

    Attributes:
        weights_equal: every rank holds the same weights, bit by bit.
        loss_spread: largest minus smallest loss on one common batch, in nats.
    """

    weights_equal: bool
    loss_spread: float


def train_together(
    preset: Preset,
    seed: int,
    device: Device,
    rank: int,
    nodes: Sequence[str],
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Train by all ranks of the default process group.

    First rank 0 trains alone while the others wait, then all together from the same weights. The
    batch of each rank is the preset's, so that perfect scaling is the same step time.

    Args:
        preset: model, task, batch and learning rate.
        seed: of the data and of the weights; each rank draws other batches.
        device: this rank's own.
        rank: of this process.
        nodes: name of each rank's node, by rank.
        progress: takes a line for a person to read.

    Returns:
        The document's section ``ddp``, the same on every rank but for rounding.

    Raises:
        RuntimeError: a collective failed or exceeded the group's time-out.
    """
    where, n = device.torch_device, len(nodes)
    setup = torch.Generator(where).manual_seed(seed)
    items = draw_items(preset.task, "train", setup)
    common = draw_items(preset.task, "heldout", setup)[: preset.batch_items]
    alone = _alone(preset, seed, device, items) if rank == 0 else None
    distributed.barrier()
    model = _model(preset, seed, where)
    ids = [where.index] if where.type == "cuda" else None
    together = DistributedDataParallel(TaskLoss(model), device_ids=ids)
    say = progress if rank == 0 else _say_nothing
    run = _steps(preset, together, device, items, seed + 1 + rank, preset.steps, say)
    step_s = _slowest_mean(run.step_s[preset.warmup_steps :], where)
    alike = _alike(model, common, device, n)
    losses = _mean_losses(run, where, n)
    shared = [step_s, alone or 0.0]
    distributed.broadcast_object_list(shared, src=0)
    step_s, alone_s = float(shared[0]), float(shared[1])
    return {
        "backend": distributed.get_backend(),
        "processes": n,
        "nodes": sorted(set(nodes)),
        "batch_items": preset.batch_items,
        "steps_done": len(run.losses),
        "nonfinite_steps": run.nonfinite_steps,
        "losses": losses,
        "loss_first": mean(losses[:ENDS]),
        "loss_last": mean(losses[-ENDS:]),
        "weights_equal": alike.weights_equal,
        "loss_spread": alike.loss_spread,
        "step_s": step_times(run.step_s[preset.warmup_steps :]),
        "tokens_per_s": n * preset.tokens_per_step / step_s,
        "tokens_per_s_alone": preset.tokens_per_step / alone_s,
        "efficiency": alone_s / step_s,
    }


def _model(preset: Preset, seed: int, where: torch.device) -> Decoder:
    torch.manual_seed(seed)
    with where:
        return Decoder(preset.model)


def _steps(
    preset: Preset,
    module: nn.Module,
    device: Device,
    items: torch.Tensor,
    seed: int,
    count: int,
    progress: Callable[[str], None],
) -> TrainingRun:
    generator = torch.Generator(device.torch_device).manual_seed(seed)

    def batch() -> Iterable[torch.Tensor]:
        size = (preset.batch_items,)
        yield items[torch.randint(len(items), size, generator=generator, device=items.device)]

    steps = Steps(batch, module, preset.learning_rate_at, count)
    with full_speed():
        return run_steps(steps, Updater(module.parameters(), device), device, _GO_ON, progress)


def _alone(preset: Preset, seed: int, device: Device, items: torch.Tensor) -> float:
    """Mean seconds of a step of this process alone, the first third left out."""
    module = TaskLoss(_model(preset, seed, device.torch_device))
    run = _steps(preset, module, device, items, seed + 1, ALONE_STEPS, _say_nothing)
    timed = run.step_s[ALONE_STEPS // 3 :]
    return sum(timed) / len(timed)


def _slowest_mean(step_s: list[float], where: torch.device) -> float:
    """The largest mean step time of all ranks, in seconds."""
    value = torch.tensor([sum(step_s) / len(step_s)], device=where)
    distributed.all_reduce(value, op=distributed.ReduceOp.MAX)
    return float(value)


def _mean_losses(run: TrainingRun, where: torch.device, n: int) -> list[float | None]:
    """Mean over the ranks of each step's loss, in nats; None where one was not finite."""
    values = [float("nan") if loss is None else loss for loss in run.losses]
    total = torch.tensor(values, device=where)
    distributed.all_reduce(total)
    return [None if loss != loss else loss / n for loss in total.tolist()]


def _alike(model: Decoder, common: torch.Tensor, device: Device, n: int) -> Alike:
    """Compare the ranks' weights, and their losses on a common batch."""
    with torch.inference_mode(), autocast(device):
        loss = float(answer_loss(model(common[:, :-1]), common))
    found: list[Any] = [None] * n
    distributed.all_gather_object(found, (digest(list(model.parameters())), loss))
    losses = [each for _, each in found]
    return Alike(len({weights for weights, _ in found}) == 1, max(losses) - min(losses))


def _say_nothing(_line: str) -> None:
    """Take a line and drop it: another rank speaks."""
