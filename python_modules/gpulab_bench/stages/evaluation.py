"""Answers to the held-out split, scored."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from gpulab_bench.context import Context, Skip


def run(context: Context) -> dict[str, Any]:
    """Answer the held-out items greedily.

    Returns:
        The document's section ``evaluation``.

    Raises:
        Skip: there is no trained model, or the run was told to end before all were answered.
    """
    import torch

    from gpulab_bench.data import draw_items
    from gpulab_bench.evaluate import evaluate

    model, device = context.model(), context.device
    # Of its own seed: the items do not depend on what was drawn before, so that a worker that was
    # started again asks the same ones.
    generator = torch.Generator(device.torch_device).manual_seed(context.order.seed + 1)
    items = draw_items(context.preset.task, "heldout", generator)
    scores = evaluate(model, items, device, context.stop)
    if scores is None:
        raise Skip("the run was told to end before all items were answered")
    context.progress(f"held-out exact match {scores.exact_match:.3f} of {scores.items} items")
    return asdict(scores)
