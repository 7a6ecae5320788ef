"""Greedy answers on the held-out split."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from gpulab_bench.device import Device, autocast
from gpulab_bench.model import Decoder
from gpulab_bench.scores import macro
from gpulab_bench.stop import Stop

BATCH_ITEMS = 256


@dataclass(frozen=True)
class Evaluation:
    """How the held-out items were answered.

    Attributes:
        items: items asked.
        exact_match: share of the items whose every answer token is right; pass@1, since a greedy
            answer is the only attempt.
        token_accuracy: share of the answer tokens that are right.
        precision: macro average over the tokens that occur in the answers or should.
        recall: the same.
        f1: the same.
    """

    items: int
    exact_match: float
    token_accuracy: float
    precision: float
    recall: float
    f1: float


def greedy_answers(
    model: Decoder, prompts: torch.Tensor, device: Device, length: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Extend each prompt by its most likely tokens, one at a time.

    Args:
        model: the model.
        prompts: ``source, separator``, [B, K + 1].
        device: where to run, and in which precision.
        length: tokens of an answer.

    Returns:
        Answers, [B, length]; and for each, whether all numbers that it was chosen by were finite,
        [B].
    """
    tokens = prompts
    finite = torch.ones(len(prompts), dtype=torch.bool, device=prompts.device)
    for _ in range(length):
        with autocast(device):
            logits = model(tokens)[:, -1]
        finite &= logits.isfinite().all(dim=-1)
        tokens = torch.cat([tokens, logits.argmax(dim=-1, keepdim=True)], dim=1)
    return tokens[:, prompts.shape[1] :], finite


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
    counts = torch.zeros(3, model.tokens.num_embeddings, dtype=torch.int64)
    with torch.inference_mode():
        for batch in items.split(BATCH_ITEMS):
            if stop.reason() is not None:
                return None
            prompts = batch[:, : source_tokens + 1]
            answers, _ = greedy_answers(model, prompts, device, source_tokens)
            due = batch[:, source_tokens + 1 :]
            right = answers == due
            exact += int(right.all(dim=1).sum())
            tokens += int(right.sum())
            counts += count_classes(answers, due, counts.shape[1])
    precision, recall, f1 = macro(*counts.tolist())
    return Evaluation(
        items=len(items),
        exact_match=exact / len(items),
        token_accuracy=tokens / (len(items) * source_tokens),
        precision=precision,
        recall=recall,
        f1=f1,
    )


def count_classes(answers: torch.Tensor, due: torch.Tensor, classes: int) -> torch.Tensor:
    """Count tokens by class: those that are right, those answered, those due.

    Args:
        answers: tokens, any shape.
        due: tokens, the same shape.
        classes: size of the vocabulary.

    Returns:
        Counts, [3, classes], on the CPU (counting is not repeatable on a GPU).
    """
    answers, due = answers.flatten().cpu(), due.flatten().cpu()
    return torch.stack(
        [
            torch.bincount(tokens, minlength=classes)
            for tokens in (due[answers == due], answers, due)
        ]
    )
