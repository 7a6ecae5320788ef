"""Silent data corruption: every device alone computes the same thing twice, and says its digest.

Same seed, weights and batch everywhere, made on the CPU and copied; no exchange between devices;
repeatable algorithms only. The document holds digests of what came out; who is wrong is judged
elsewhere, by comparing them.
"""

from __future__ import annotations

import ctypes
import hashlib
from typing import TYPE_CHECKING, Any

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
    with context.window("sdc"):
        for device, scope, name in zip(context.devices(), context.scopes(), names):
            runs = [_digests(context, device) for _ in range(RUNS)]
            if None not in runs:
                found.append({"scope": scope, "name": name, "software": software, "runs": runs})
    return {"steps": STEPS, "devices": found}


def _digests(context: Context, device: torch.device) -> dict[str, str] | None:
    """Digests of logits, gradients, losses and weights; None when told to stop."""
    import torch

    from gpulab_bench.data import draw_items
    from gpulab_bench.device import autocast
    from gpulab_bench.model import Decoder
    from gpulab_bench.train import answer_loss

    preset = context.preset
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
    return {**first, "losses": digest(losses), "weights": digest(list(model.parameters()))}


def digest(tensors: list[torch.Tensor]) -> str:
    """SHA-256 over the bits of tensors, in order."""
    total = hashlib.sha256()
    for tensor in tensors:
        raw = tensor.detach().cpu().contiguous()
        # By its address: NumPy, which tensor.numpy() needs, may be missing, and knows no bf16.
        total.update(ctypes.string_at(raw.data_ptr(), raw.numel() * raw.element_size()))
    return total.hexdigest()
