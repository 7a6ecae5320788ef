"""Rounds in which no node is in two tests at once."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.pairs.schedule import (
    Pair,
    Round,
    estimate_s,
    pack,
    tournament,
)

SIZES = st.integers(min_value=0, max_value=64)
NAMES = [f"node{number:02d}" for number in range(64)]


def unordered(rounds: list[Round]) -> list[frozenset[str]]:
    return [frozenset(pair) for each in rounds for pair in each]


def nobody_twice(rounds: list[Round]) -> bool:
    return all(max(Counter(n for p in r for n in p).values(), default=0) == 1 for r in rounds)


@given(SIZES)
def test_each_pair_meets_exactly_once(size: int) -> None:
    met = unordered(tournament(NAMES[:size]))
    assert len(met) == len(set(met))
    assert set(met) == {frozenset(pair) for pair in combinations(NAMES[:size], 2)}


@given(SIZES)
def test_no_node_is_in_two_tests_at_once(size: int) -> None:
    rounds = tournament(NAMES[:size])
    assert nobody_twice(rounds)
    assert all(client != server for each in rounds for client, server in each)


@given(SIZES)
def test_number_of_rounds(size: int) -> None:
    expected = 0 if size < 2 else size - 1 if size % 2 == 0 else size
    assert len(tournament(NAMES[:size])) == expected


@given(st.integers(min_value=2, max_value=64), st.integers(min_value=1, max_value=80))
def test_bounded_rounds_are_the_first_ones(size: int, limit: int) -> None:
    everything = tournament(NAMES[:size])
    assert tournament(NAMES[:size], limit) == everything[:limit]


def test_order_and_repetition_of_names_do_not_matter() -> None:
    assert tournament(["c", "a", "b", "a"]) == tournament(["a", "b", "c"])


def test_negative_bound_is_refused() -> None:
    with pytest.raises(ValueError, match="not -1"):
        tournament(["a", "b"], -1)


@given(st.lists(st.sampled_from(list(combinations(NAMES[:8], 2))), unique=True))
def test_packed_pairs_are_all_there_and_nobody_twice(pairs: list[Pair]) -> None:
    rounds = pack(pairs)
    assert sorted(pair for each in rounds for pair in each) == sorted(pairs)
    assert nobody_twice(rounds)
    # Greedy: a pair waits for at most the other pairs of its two nodes.
    degree = Counter(node for pair in pairs for node in pair)
    assert len(rounds) <= max(2 * max(degree.values(), default=0) - 1, 0)


def test_estimate_of_a_large_lab() -> None:
    """50 nodes take 49 rounds; with 10 s a test that is 11 minutes, as the page says."""
    rounds = tournament(NAMES[:50])
    assert len(rounds) == 49
    assert round(estimate_s(len(rounds), 10) / 60) == 11
    assert estimate_s(len(tournament(NAMES[:50], 8)), 10) == 104
