"""The splits: right, disjoint and repeatable."""

from __future__ import annotations

import torch

from gpulab_bench.config import PRESETS
from gpulab_bench.data import draw_items

TASK = PRESETS["xs"].task


def drawn(split: str, seed: int = 1) -> torch.Tensor:
    return draw_items(TASK, split, torch.Generator().manual_seed(seed))


def test_an_item_is_a_source_a_separator_and_the_source_backwards() -> None:
    items = drawn("train")
    k = TASK.source_tokens
    assert items.shape == (TASK.train_items, 2 * k + 1)
    assert bool((items[:, k] == TASK.symbols).all())
    assert bool((items[:, :k] < TASK.symbols).all())
    assert torch.equal(items[:, k + 1 :], items[:, :k].flip(1))


def test_splits_are_disjoint_and_of_the_promised_size() -> None:
    train = {tuple(item) for item in drawn("train").tolist()}
    heldout = {tuple(item) for item in drawn("heldout").tolist()}
    assert not train & heldout
    assert len(drawn("heldout")) == TASK.heldout_items


def test_a_seed_draws_the_same_items_again() -> None:
    assert torch.equal(drawn("train", 1), drawn("train", 1))
    assert not torch.equal(drawn("train", 1), drawn("train", 2))


def test_every_symbol_stands_at_every_place_of_both_splits() -> None:
    for split in ("train", "heldout"):
        sources = drawn(split)[:, : TASK.source_tokens]
        assert all(len(column.unique()) == TASK.symbols for column in sources.T)
