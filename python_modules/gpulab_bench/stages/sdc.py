"""Silent data corruption: every device alone computes the same thing twice, and says its digest.

Same seed, weights and batch everywhere, made on the CPU and copied; no exchange between devices;
repeatable algorithms only. The document holds digests of what came out; who is wrong is judged
elsewhere, by comparing them.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from gpulab_bench.config import CPU_PRESET, PRESETS
from gpulab_bench.context import Context

if TYPE_CHECKING:
    import torch

STEPS = 20
RUNS = 2


def run(context: Context) -> dict[str, Any]:
    """Train a few steps on each device, twice.

    Returns:
        The document's section ``sdc``.
    """
    import torch

    # What can be compared bit by bit: the same model of device under the same software.
    software = f"torch {torch.__version__}, CUDA {torch.version.cuda}, {context.device.precision}"
    names = context.device_names()
    found = []
    with context.window("sdc"), _repeatable():
        for device, scope, name in zip(context.devices(), context.scopes(), names):
            trained = [_train(context, device) for _ in range(RUNS)]
            runs = [one for one in trained if one is not None]
            if len(runs) == RUNS:
                losses = runs[0].losses
                found.append(
                    {
                        "scope": scope,
                        "name": name,
                        "software": software,
                        "loss_first": losses[0],
                        "loss_last": losses[-1],
                        "runs": [one.digests for one in runs],
                    }
                )
    return {"steps": STEPS, "devices": found}


@contextlib.contextmanager
def _repeatable() -> Iterator[None]:
    """Allow repeatable algorithms only."""
    import torch

    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


class Run(NamedTuple):
    """What a few steps gave.

    Attributes:
        digests: of the first step's logits and gradients, of all losses, of the last weights.
        losses: in nats; None where not finite.
    """

    digests: dict[str, str]
    losses: list[float | None]


def _train(context: Context, device: torch.device) -> Run | None:
    """Train on one batch; None when told to stop."""
    import torch

    from gpulab_bench.data import draw_items
    from gpulab_bench.device import autocast
    from gpulab_bench.digest import digest
    from gpulab_bench.losses import answer_loss
    from gpulab_bench.model import Decoder

    # What is compared are devices: where none holds the preset, a smaller one tells as much.
    preset = PRESETS[CPU_PRESET] if context.only_shared() else context.preset
    generator = torch.Generator().manual_seed(context.order.seed)
    torch.manual_seed(context.order.seed)
    items = draw_items(preset.task, "train", generator)[: preset.batch_items].to(device)
    model = Decoder(preset.model).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=preset.learning_rate)
    losses: list[torch.Tensor] = []
    first: dict[str, str] = {}
    for _ in range(STEPS):
        if context.stop.reason() is not None:
            return None
        optimiser.zero_grad(set_to_none=True)
        with autocast(context.device):
            logits = model(items[:, :-1])
            loss = answer_loss(logits, items)
        loss.backward()
        if not first:
            gradients = [parameter.grad for parameter in model.parameters()]
            first = {"logits": digest([logits]), "gradients": digest(gradients)}
        optimiser.step()
        losses.append(loss.detach())
    return Run(
        {**first, "losses": digest(losses), "weights": digest(list(model.parameters()))},
        [loss if math.isfinite(loss) else None for loss in torch.stack(losses).tolist()],
    )
