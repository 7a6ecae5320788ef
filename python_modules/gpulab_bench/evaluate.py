"""Greedy answers on the held-out split."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from gpulab_bench.device import Device, autocast
from gpulab_bench.model import Decoder
from gpulab_bench.stop import Stop

BATCH_ITEMS = 256


@dataclass(frozen=True)
class Evaluation:
    """How the held-out items were answered.

    Attributes:
        items: items asked.
        exact_match: share of the items whose every answer token is right.
        token_accuracy: share of the answer tokens that are right.
    """

    items: int
    exact_match: float
    token_accuracy: float


def greedy_answers(model: Decoder, prompts: torch.Tensor, device: Device) -> torch.Tensor:
    """Extend each prompt by its most likely tokens, one at a time.

    Args:
        model: the model.
        prompts: ``source, separator``, [B, K + 1].
        device: where to run, and in which precision.

    Returns:
        Answers, [B, K].
    """
    source_tokens = prompts.shape[1] - 1
    tokens = prompts
    for _ in range(source_tokens):
        with autocast(device):
            logits = model(tokens)
        tokens = torch.cat([tokens, logits[:, -1:].argmax(dim=-1)], dim=1)
    return tokens[:, source_tokens + 1 :]


def evaluate(model: Decoder, items: torch.Tensor, device: Device, stop: Stop) -> Evaluation | None:
    """Answer the held-out items.

    Args:
        model: the trained model.
        items: held-out split, [N, 2K + 1].
        device: where to run, and in which precision.
        stop: asked before each batch.

    Returns:
        The scores, or None when ``stop`` gave a reason before all items were answered.
    """
    source_tokens = items.shape[1] // 2
    exact, tokens = 0, 0
    with torch.inference_mode():
        for batch in items.split(BATCH_ITEMS):
            if stop.reason() is not None:
                return None
            answers = greedy_answers(model, batch[:, : source_tokens + 1], device)
            right = answers == batch[:, source_tokens + 1 :]
            exact += int(right.all(dim=1).sum())
            tokens += int(right.sum())
    return Evaluation(len(items), exact / len(items), tokens / (len(items) * source_tokens))
