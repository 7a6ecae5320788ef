"""Synthetic items, generated on the device from a seed."""

from __future__ import annotations

from typing import Literal

import torch

from gpulab_bench.config import CLASSES, TaskConfig

Split = Literal["train", "heldout"]

# One source in eight is held out, by a checksum of its symbols.
HELDOUT_SHARE = 8
# One item in three of the training asks which kind of symbol prevails, the others for the source
# backwards. With more of them, the 150 steps of xs do not learn the latter.
SECOND_SHARE = 3
# The question which kind prevails.
PREVAILING = 0


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
    source = _draw_sources(task, split, generator)
    return torch.cat([source, _asked(source, task.symbols), source.flip(1)], dim=1)


def draw_prevailing(task: TaskConfig, split: Split, generator: torch.Generator) -> torch.Tensor:
    """Draw a split of ``source, question, prevailing kinds``; the rest as `draw_items`."""
    return _ask_prevailing(_draw_sources(task, split, generator))


def draw_training(task: TaskConfig, generator: torch.Generator) -> torch.Tensor:
    """Draw the data set of a training: `draw_items`, every `SECOND_SHARE`-th asked the other way.

    Returns:
        Tokens, [N, 2K + 1], N = the size of the training split.
    """
    items = draw_items(task, "train", generator)
    items[::SECOND_SHARE] = _ask_prevailing(items[::SECOND_SHARE, : task.source_tokens])
    return items


def prevailing(source: torch.Tensor) -> torch.Tensor:
    """Say which kind of symbol prevails: in the whole source, without its last symbol, and so on.

    A symbol's kind is its number modulo `CLASSES`; of kinds that are level, the lowest prevails. So
    kind 0 prevails most often and the last one least: the kinds are uneven, and precision and
    recall are two things. Often one symbol decides, so a model that counts a little wrong answers a
    little worse.

    Args:
        source: symbols, [N, K].

    Returns:
        Kinds, [N, K], of the same type.
    """
    kinds = torch.arange(CLASSES, device=source.device)
    seen = (source[:, :, None] % CLASSES == kinds).long().cumsum(dim=1)
    # No two are level: argmax does not promise which of several highest it takes.
    return (CLASSES * seen - kinds).argmax(dim=2).to(source.dtype).flip(1)


def _ask_prevailing(source: torch.Tensor) -> torch.Tensor:
    return torch.cat([source, _asked(source, PREVAILING), prevailing(source)], dim=1)


def _asked(source: torch.Tensor, question: int) -> torch.Tensor:
    return torch.full_like(source[:, :1], question)


def _draw_sources(task: TaskConfig, split: Split, generator: torch.Generator) -> torch.Tensor:
    """Draw the sources of a split, [N, K]."""
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
    return torch.cat(kept)[:wanted]
