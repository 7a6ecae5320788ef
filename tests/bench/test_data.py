"""The splits: right, disjoint and repeatable."""

from __future__ import annotations

import torch

from gpulab_bench.config import PRESETS
from gpulab_bench.data import draw_items, draw_prevailing, draw_training, is_heldout, prevailing

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


def test_which_kind_prevails_in_ever_less_of_the_source() -> None:
    """Kinds 1, 2, 2, 1, 3, 3, 3, of which 3 prevails over all: level ones go to the lowest."""
    source = torch.tensor([[1, 6, 10, 5, 31, 27, 3], [0, 1, 2, 3, 4, 5, 6]])
    assert prevailing(source).tolist() == [[3, 1, 1, 1, 2, 1, 1], [0, 0, 0, 0, 0, 0, 0]]


def test_the_other_question_is_told_by_its_token() -> None:
    items = draw_prevailing(TASK, "heldout", torch.Generator().manual_seed(1))
    k = TASK.source_tokens
    assert items.shape == (TASK.heldout_items, 2 * k + 1)
    assert bool((items[:, k] == 0).all())
    assert bool(is_heldout(items[:, :k]).all())
    assert torch.equal(items[:, k + 1 :], prevailing(items[:, :k]))
    # Uneven: the first kind prevails most often, the last one least.
    shares = torch.bincount(items[:, k + 1 :].flatten(), minlength=4).tolist()
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 1.2 * shares[3]


def test_a_training_asks_both_questions_and_no_held_out_source() -> None:
    items = draw_training(TASK, torch.Generator().manual_seed(1))
    k = TASK.source_tokens
    third = -(-TASK.train_items // 3)
    assert int((items[:, k] == 0).sum()) == third
    assert int((items[:, k] == TASK.symbols).sum()) == TASK.train_items - third
    assert not bool(is_heldout(items[:, :k]).any())
    backwards = items[items[:, k] == TASK.symbols]
    assert torch.equal(backwards[:, k + 1 :], backwards[:, :k].flip(1))
