"""The benchmark's own worker, with something broken in it. The first argument says what.

``nan``: the loss of the fourth step is not finite. ``memory``: the training asks for more memory
than its process may have. ``answers``: every answer comes from numbers that are not finite.
``ones``: nothing is broken.
"""

from __future__ import annotations

import resource
import sys

from gpulab_bench import __main__, evaluate
from gpulab_bench import train as training

# Enough for PyTorch, and not for the tensor below.
MEMORY_LIMIT_BYTES = 6 * 1024**3


def spoil(how: str) -> None:
    import torch

    honest_loss, calls = training.answer_loss, [0]
    honest_answers = evaluate.greedy_answers

    def poisoned_loss(logits: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        calls[0] += 1
        loss = honest_loss(logits, items)
        return loss * float("nan") if calls[0] == 4 else loss

    def greedy_loss(logits: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
        hoard = torch.ones(MEMORY_LIMIT_BYTES // 4)
        return honest_loss(logits, items) + hoard[0]

    def broken_answers(*arguments: object) -> tuple[torch.Tensor, torch.Tensor]:
        answers, finite = honest_answers(*arguments)
        return answers, torch.zeros_like(finite)

    if how == "nan":
        training.answer_loss = poisoned_loss
    if how == "memory":
        training.answer_loss = greedy_loss
    if how == "answers":
        evaluate.greedy_answers = broken_answers


if __name__ == "__main__":
    spoil(sys.argv[1])
    sys.exit(__main__.main(sys.argv[2:]))
