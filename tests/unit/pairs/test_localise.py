"""Faults are attributed to what the bad paths have in common."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.pairs.localise import (
    ALL,
    BOTH,
    EITHER,
    END,
    PATH,
    RECEIVE,
    TRANSMIT,
    Blame,
    Path,
    localise,
    merged,
    one_way,
    two_way,
)

IsBad = Callable[[str, str], bool]


def one_way_blames(nodes: str, is_bad: IsBad) -> list[Blame]:
    """Measure every direction between the nodes (one letter each); some are bad."""
    bad = [one_way(s, r) for s, r in permutations(nodes, 2) if is_bad(s, r)]
    good = [one_way(s, r) for s, r in permutations(nodes, 2) if not is_bad(s, r)]
    return merged(localise(bad, good))


def two_way_blames(nodes: str, bad_pairs: set[frozenset[str]]) -> list[Blame]:
    pairs = list(combinations(nodes, 2))
    bad = [two_way(*pair) for pair in pairs if frozenset(pair) in bad_pairs]
    good = [two_way(*pair) for pair in pairs if frozenset(pair) not in bad_pairs]
    return merged(localise(bad, good))


def kinds(blames: list[Blame]) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    return [(blame.kind, blame.ends) for blame in blames]


def test_all_good() -> None:
    assert one_way_blames("abc", lambda *_: False) == []


@pytest.mark.parametrize("nodes", ["abc", "abcd", "abcdefgh"])
def test_slow_sender(nodes: str) -> None:
    assert kinds(one_way_blames(nodes, lambda s, _: s == "b")) == [(END, (("b", TRANSMIT),))]


@pytest.mark.parametrize("nodes", ["abc", "abcd", "abcdefgh"])
def test_slow_receiver(nodes: str) -> None:
    assert kinds(one_way_blames(nodes, lambda _, r: r == "b")) == [(END, (("b", RECEIVE),))]


@pytest.mark.parametrize("nodes", ["abc", "abcd", "abcdefgh"])
def test_slow_both_ways(nodes: str) -> None:
    (blame,) = one_way_blames(nodes, lambda s, r: "b" in (s, r))
    assert (blame.kind, blame.ends) == (END, (("b", RECEIVE), ("b", TRANSMIT)))
    assert len(blame.paths) == 2 * (len(nodes) - 1)


def test_two_slow_nodes() -> None:
    blames = one_way_blames("abcde", lambda s, r: bool({"a", "d"} & {s, r}))
    assert [(b.kind, {node for node, _ in b.ends}) for b in blames] == [(END, {"a"}), (END, {"d"})]


def test_two_slow_senders_of_three_leave_the_third_alone() -> None:
    """All that c receives is bad, too, but its senders explain that and more."""
    blames = one_way_blames("abc", lambda s, _: s in "ab")
    assert kinds(blames) == [(END, (("a", TRANSMIT),)), (END, (("b", TRANSMIT),))]


def test_one_bad_way_between_good_nodes() -> None:
    (blame,) = one_way_blames("abcd", lambda s, r: {s, r} == {"a", "c"})
    assert blame.kind == PATH
    assert {node for node, _ in blame.ends} == {"a", "c"}
    assert len(blame.paths) == 2


def test_one_bad_direction_between_good_nodes() -> None:
    (blame,) = one_way_blames("abcd", lambda s, r: (s, r) == ("a", "c"))
    assert (blame.kind, blame.paths) == (PATH, (one_way("a", "c"),))


def test_two_nodes_cannot_tell() -> None:
    (blame,) = one_way_blames("ab", lambda *_: True)
    assert blame.kind == EITHER
    assert {node for node, _ in blame.ends} == {"a", "b"}
    (blame,) = one_way_blames("ab", lambda s, _: s == "a")
    assert (blame.kind, blame.ends) == (EITHER, (("a", TRANSMIT), ("b", RECEIVE)))


@pytest.mark.parametrize("nodes", ["abc", "abcdef"])
def test_everything_bad_is_nobodys_fault(nodes: str) -> None:
    (blame,) = one_way_blames(nodes, lambda *_: True)
    assert blame.kind == ALL


def test_loss_has_no_direction() -> None:
    bad = {frozenset("ab"), frozenset("bc"), frozenset("bd")}
    assert kinds(two_way_blames("abcd", bad)) == [(END, (("b", BOTH),))]
    assert kinds(two_way_blames("abcd", {frozenset("ab")})) == [(PATH, (("a", BOTH), ("b", BOTH)))]


def test_pair_that_nobody_else_was_measured_with() -> None:
    """Bounded rounds: a met b only, and b is fine with c."""
    (blame,) = localise([two_way("a", "b")], [two_way("b", "c")])
    assert (blame.kind, blame.ends) == (EITHER, (("a", BOTH),))


def test_tie_names_all_that_explain_as_much() -> None:
    """A chain of bad pairs with its middle two equally suspect."""
    bad = [two_way("a", "b"), two_way("b", "c"), two_way("c", "d"), two_way("d", "a")]
    (blame,) = localise(bad, [two_way("x", "y")])
    assert (blame.kind, len(blame.ends), len(blame.paths)) == (EITHER, 4, 4)


paths = st.builds(lambda pair: one_way(*pair), st.sampled_from(list(permutations("abcdef", 2))))


@given(st.sets(paths), st.sets(paths))
def test_every_bad_path_is_explained_once_and_no_good_end_is_blamed(
    bad: set[Path], good: set[Path]
) -> None:
    good -= bad
    blames = localise(bad, good)
    explained = [path for blame in blames for path in blame.paths]
    assert sorted(explained) == sorted(bad)
    fine = {end for path in good for end in path}
    for blame in blames:
        if blame.kind in (END, ALL, EITHER):
            assert not fine & set(blame.ends)
        if blame.kind == END:
            assert len([path for path in bad if blame.ends[0] in path]) >= 2


@given(
    st.integers(min_value=4, max_value=10),
    st.data(),
)
def test_one_faulty_node_is_always_found(size: int, data: st.DataObject) -> None:
    nodes = "abcdefghij"[:size]
    faulty = data.draw(st.sampled_from(nodes))
    (blame,) = one_way_blames(nodes, lambda s, r: faulty in (s, r))
    assert (blame.kind, {node for node, _ in blame.ends}) == (END, {faulty})
