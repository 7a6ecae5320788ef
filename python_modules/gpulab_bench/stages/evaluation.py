"""Answers to the held-out split, scored.

pass@1 is of the question for the source backwards, which a healthy model answers without a mistake.
Precision, recall and F1 are of the question which kind of symbol prevails, where it makes some.
"""

from __future__ import annotations

from typing import Any

from gpulab_bench.config import CLASSES
from gpulab_bench.context import Context, Skip


def run(context: Context) -> dict[str, Any]:
    """Answer the held-out items greedily.

    Returns:
        The document's section ``evaluation``.

    Raises:
        Skip: there is no trained model, or the run was told to end before all were answered.
    """
    import torch

    from gpulab_bench.data import draw_items, draw_prevailing
    from gpulab_bench.evaluate import evaluate

    model, device = context.model(), context.device
    # Of its own seed: the items do not depend on what was drawn before, so that a worker that was
    # started again asks the same ones.
    generator = torch.Generator(device.torch_device).manual_seed(context.order.seed + 1)
    task = context.preset.task
    backwards = evaluate(model, draw_items(task, "heldout", generator), device, context.stop)
    kinds = evaluate(model, draw_prevailing(task, "heldout", generator), device, context.stop)
    if backwards is None or kinds is None:
        raise Skip("the run was told to end before all items were answered")
    context.progress(
        f"held-out exact match {backwards.exact_match:.3f} of {backwards.items} items, "
        f"F1 of the prevailing kind {kinds.f1:.3f}"
    )
    return {
        "items": backwards.items,
        "exact_match": backwards.exact_match,
        "token_accuracy": backwards.token_accuracy,
        "precision": kinds.precision,
        "recall": kinds.recall,
        "f1": kinds.f1,
        "class_accuracy": kinds.token_accuracy,
        "classes": CLASSES,
    }
