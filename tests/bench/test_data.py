"""The splits: right, disjoint and repeatable."""

from __future__ import annotations

import torch

from gpulab_bench.config import PRESETS
from gpulab_bench.data import draw_items, draw_training, draw_votes, is_heldout, votes

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


def test_who_leads_after_each_symbol() -> None:
    """Classes 1, 2, 2, 1, 3, 3, 3: level ones go to the lowest number."""
    source = torch.tensor([[1, 6, 10, 5, 31, 27, 3], [0, 1, 2, 3, 4, 5, 6]])
    assert votes(source).tolist() == [[1, 1, 2, 1, 1, 1, 3], [0, 0, 0, 0, 0, 0, 0]]


def test_votes_are_asked_with_a_question_of_their_own() -> None:
    items = draw_votes(TASK, "heldout", torch.Generator().manual_seed(1))
    k = TASK.source_tokens
    assert items.shape == (TASK.heldout_items, 2 * k + 1)
    assert bool((items[:, k] == TASK.symbols + 1).all())
    assert bool(is_heldout(items[:, :k]).all())
    assert torch.equal(items[:, k + 1 :], votes(items[:, :k]))
    # Uneven classes: the first leads most often, the last one least.
    shares = torch.bincount(items[:, k + 1 :].flatten(), minlength=4).tolist()
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 1.2 * shares[3]


def test_a_training_asks_both_questions_and_no_held_out_source() -> None:
    items = draw_training(TASK, torch.Generator().manual_seed(1))
    k = TASK.source_tokens
    asked = items[:, k].bincount()[TASK.symbols :].tolist()
    third = -(-TASK.train_items // 3)
    assert asked == [TASK.train_items - third, third]
    assert not bool(is_heldout(items[:, :k]).any())
    backwards = items[items[:, k] == TASK.symbols]
    assert torch.equal(backwards[:, k + 1 :], backwards[:, :k].flip(1))
