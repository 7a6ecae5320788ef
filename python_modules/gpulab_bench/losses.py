"""Cross-entropy of the task and of the run for speed, the latter within a bounded memory."""

from __future__ import annotations

import torch
from torch.nn import functional

from gpulab_bench.memory import LOGITS_MAX, loss_chunk


def answer_loss(logits: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
    """Cross-entropy over the answer tokens only: the source is random, nothing can predict it.

    Args:
        logits: predictions for ``items[:, 1:]``, [B, 2K, V].
        items: ``source, separator, answer``, [B, 2K + 1].

    Returns:
        A scalar, in nats.
    """
    source_tokens = items.shape[1] // 2
    answers = items[:, source_tokens + 1 :]
    # The separator's position predicts the first answer token.
    return functional.cross_entropy(
        logits[:, source_tokens:].flatten(0, 1).float(), answers.flatten()
    )


def next_token_loss(
    hidden: torch.Tensor, head: torch.Tensor, targets: torch.Tensor, logits_max: int = LOGITS_MAX
) -> torch.Tensor:
    """Cross-entropy over all positions, in nats.

    Up to ``logits_max`` logits are computed at once. Beyond, they are computed in chunks, whose
    gradients are taken at once, so that no more than one chunk of logits is ever held and none is
    computed twice.

    Args:
        hidden: what the output projection reads, [B, T, D].
        head: the output projection, [V, D].
        targets: the right tokens, [B, T].
        logits_max: most logits to hold.
    """
    rows, wanted = hidden.flatten(0, 1), targets.flatten()
    chunk = loss_chunk(len(rows), len(head), logits_max)
    if chunk == len(rows):
        return functional.cross_entropy(functional.linear(rows, head).float(), wanted)
    total: torch.Tensor = _ChunkedLoss.apply(rows, head, wanted, chunk)
    return total / len(rows)


class _ChunkedLoss(torch.autograd.Function):
    """Sum of the cross-entropy of all rows, chunk by chunk, with the gradient made on the way."""

    @staticmethod
    def forward(
        context: torch.autograd.function.FunctionCtx,
        rows: torch.Tensor,
        head: torch.Tensor,
        wanted: torch.Tensor,
        chunk: int,
    ) -> torch.Tensor:
        """Return the sum in nats, and keep the gradients of ``rows`` and ``head``."""
        weight = head.detach().requires_grad_()
        total = rows.new_zeros((), dtype=torch.float32)
        pieces = []
        for part, tokens in zip(rows.detach().split(chunk), wanted.split(chunk)):
            part = part.requires_grad_()
            with torch.enable_grad():
                logits = functional.linear(part, weight).float()
                loss = functional.cross_entropy(logits, tokens, reduction="sum")
            loss.backward()
            total += loss.detach()
            pieces.append(part.grad)
        context.save_for_backward(torch.cat(pieces), weight.grad)
        return total

    @staticmethod
    def backward(
        context: torch.autograd.function.FunctionCtx, gradient: torch.Tensor
    ) -> tuple[torch.Tensor | None, ...]:
        """Scale the kept gradients."""
        rows, head = context.saved_tensors
        return rows * gradient, head * gradient, None, None
