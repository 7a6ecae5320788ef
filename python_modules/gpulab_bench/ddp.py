"""Data-parallel training by a group: every rank has a batch of its own, and a copy of the model.

A model of which no rank can hold a copy is shared by the ranks: see `gpulab_bench.sharded`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from gpulab_bench.config import Preset
from gpulab_bench.data import draw_items
from gpulab_bench.device import Device, autocast, available_bytes, full_speed
from gpulab_bench.digest import digest
from gpulab_bench.losses import answer_loss
from gpulab_bench.memory import SHARDED, fit_group
from gpulab_bench.model import Decoder
from gpulab_bench.result import ENDS, step_times
from gpulab_bench.stats import mean
from gpulab_bench.stop import Stop
from gpulab_bench.train import Steps, TrainingRun, Updater, UpdatesWeights, run_steps

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
        weights_equal: every rank holds (of a shared model: gathers) the same weights, bit by bit.
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
    way: str = "auto",
    window: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> dict[str, Any]:
    """Train by all ranks of the default process group.

    First rank 0 trains alone while the others wait, then all together from the same weights. The
    batch of each rank is the preset's, so that perfect scaling is the same step time. Where the
    ranks share the model, none can train alone, and nothing is known of the scaling.

    Args:
        preset: model, task, batch and learning rate.
        seed: of the data and of the weights; each rank draws other batches.
        device: this rank's own.
        rank: of this process.
        nodes: name of each rank's node, by rank.
        progress: takes a line for a person to read.
        way: ``auto``, ``replicated`` or ``sharded``; see `memory.fit_group`.
        window: surrounds the steps that all ranks do together.

    Returns:
        The document's section ``ddp``, the same on every rank but for rounding.

    Raises:
        DoesNotFitError: the preset fits neither way; nothing was allocated yet.
        RuntimeError: a collective failed or exceeded the group's time-out.
    """
    where, n = device.torch_device, len(nodes)
    fit = fit_group(preset, device.precision, _least_available(device), n, way)
    device = replace(device, precision=fit.precision)
    say = progress if rank == 0 else _say_nothing
    say(f"{n} processes, model {fit.way}, about {fit.estimate.total / 2**30:.1f} GiB each")
    setup = torch.Generator(where).manual_seed(seed)
    items = draw_items(preset.task, "train", setup)
    common = draw_items(preset.task, "heldout", setup)[: preset.batch_items]
    alone = None
    if fit.way == SHARDED:
        from gpulab_bench import sharded

        model = sharded.shard(preset.model, seed, device, rank, n)
        module: nn.Module = TaskLoss(model)
        updater: UpdatesWeights = sharded.ShardedUpdater(model)
    else:
        alone = _alone(preset, seed, device, items) if rank == 0 else None
        distributed.barrier()
        model = _model(preset, seed, where)
        ids = [where.index] if where.type == "cuda" else None
        module = DistributedDataParallel(TaskLoss(model), device_ids=ids)
        updater = Updater(module.parameters(), device)
    with window():
        run = _steps(preset, module, updater, device, items, seed + 1 + rank, preset.steps, say)
    step_s = _slowest_mean(run.step_s[preset.warmup_steps :], where)
    weights = sharded.checksums(model) if fit.way == SHARDED else digest(list(model.parameters()))
    alike = _alike(model, weights, common, device, n)
    losses = _mean_losses(run, where, n)
    shared = [step_s, alone]
    distributed.broadcast_object_list(shared, src=0)
    group_s, alone_s = float(shared[0] or 0.0), shared[1]
    return {
        "way": fit.way,
        "precision": fit.precision,
        "estimate_bytes": fit.estimate.describe(),
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
        "tokens_per_s": n * preset.tokens_per_step / group_s,
        "tokens_per_s_alone": None if alone_s is None else preset.tokens_per_step / alone_s,
        "efficiency": None if alone_s is None else alone_s / group_s,
    }


def _model(preset: Preset, seed: int, where: torch.device) -> Decoder:
    torch.manual_seed(seed)
    with where:
        return Decoder(preset.model)


def _steps(
    preset: Preset,
    module: nn.Module,
    updater: UpdatesWeights,
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
        return run_steps(steps, updater, device, _GO_ON, progress)


def _alone(preset: Preset, seed: int, device: Device, items: torch.Tensor) -> float:
    """Mean seconds of a step of this process alone, the first third left out."""
    module = TaskLoss(_model(preset, seed, device.torch_device))
    updater = Updater(module.parameters(), device)
    run = _steps(preset, module, updater, device, items, seed + 1, ALONE_STEPS, _say_nothing)
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


def _alike(model: Decoder, weights: object, common: torch.Tensor, device: Device, n: int) -> Alike:
    """Compare the ranks' weights, by what tells them apart, and their losses on a common batch."""
    with torch.no_grad(), autocast(device):
        loss = float(answer_loss(model(common[:, :-1]), common))
    found: list[Any] = [None] * n
    distributed.all_gather_object(found, (weights, loss))
    losses = [each for _, each in found]
    equal = all(theirs == found[0][0] for theirs, _ in found)
    return Alike(equal, max(losses) - min(losses))


def _least_available(device: Device) -> int | None:
    """Free bytes of the rank that has the fewest; None where a rank does not know.

    On CPUs the ranks of a node share its memory.
    """
    available = available_bytes(device)
    if available is not None and device.torch_device.type == "cpu":
        available //= int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    least = torch.tensor([-1 if available is None else available], device=device.torch_device)
    distributed.all_reduce(least, op=distributed.ReduceOp.MIN)
    return None if int(least) < 0 else int(least)


def _say_nothing(_line: str) -> None:
    """Take a line and drop it: another rank speaks."""
