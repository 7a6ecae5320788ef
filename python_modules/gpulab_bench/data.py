"""Synthetic items, generated on the device from a seed."""

from __future__ import annotations

from typing import Literal

import torch

from gpulab_bench.config import TaskConfig

Split = Literal["train", "heldout"]

# One source in eight is held out, by a checksum of its symbols.
HELDOUT_SHARE = 8


def is_heldout(source: torch.Tensor) -> torch.Tensor:
    """Tell which sources belong to the held-out split.

    The answer depends on the symbols alone, so the splits are disjoint however many items are
    drawn, and a duplicate never crosses over.

    Args:
        source: symbols, [N, K].

    Returns:
        Booleans, [N].
    """
    # Odd, different weights: a source and its permutations need not fall on the same side.
    weights = 2 * torch.arange(source.shape[1], device=source.device) + 1
    return (source * weights).sum(dim=1) % HELDOUT_SHARE == 0


def draw_items(task: TaskConfig, split: Split, generator: torch.Generator) -> torch.Tensor:
    """Draw a split of ``source, separator, reversed source``.

    Args:
        task: shape of the task.
        split: which side of the checksum.
        generator: source of randomness; its device is where the items are made.

    Returns:
        Tokens, [N, 2K + 1], N = the size of the split.
    """
    wanted = task.heldout_items if split == "heldout" else task.train_items
    kept: list[torch.Tensor] = []
    while sum(len(part) for part in kept) < wanted:
        source = torch.randint(
            task.symbols,
            (wanted, task.source_tokens),
            generator=generator,
            device=generator.device,
        )
        kept.append(source[is_heldout(source) == (split == "heldout")])
    source = torch.cat(kept)[:wanted]
    separator = torch.full_like(source[:, :1], task.symbols)
    return torch.cat([source, separator, source.flip(1)], dim=1)
