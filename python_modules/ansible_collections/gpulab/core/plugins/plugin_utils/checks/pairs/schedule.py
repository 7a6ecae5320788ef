"""Rounds of pairs in which no node is in two tests at once.

A tournament by the circle method: one node stands still, the others turn around it. Every
unordered pair meets once, in n - 1 rounds for an even number of nodes and n for an odd one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Pair = tuple[str, str]
Round = list[Pair]

# What a test costs besides its own seconds: two connections, iperf3's start and end, and Ansible's
# task. An allowance for the estimate, not a limit.
OVERHEAD_S = 3.0


def tournament(nodes: Iterable[str], limit: int = 0) -> list[Round]:
    """Return the rounds in which every node meets every other one.

    Args:
        nodes: Names; the order does not matter.
        limit: Most rounds, 0 for all. With fewer rounds each node meets that many others (one less
            in a round that it sits out).

    Returns:
        Rounds of (client, server); which is which does not matter, a test measures both ways.

    Raises:
        ValueError: `limit` is negative.
    """
    if limit < 0:
        raise ValueError(f"the number of rounds must be 0 (all) or more, not {limit}")
    circle: list[str | None] = [*sorted(set(nodes))]
    if len(circle) == 1:
        return []
    if len(circle) % 2:
        circle.append(None)  # whoever meets nobody sits the round out
    rounds = []
    for _ in range(len(circle) - 1):
        rounds.append(_meet(circle))
        circle.insert(1, circle.pop())
    return rounds[:limit] if limit else rounds


def _meet(circle: Sequence[str | None]) -> Round:
    """Return the pairs of those that face each other: the first and the last, and so on inwards."""
    half = len(circle) // 2
    facing = zip(circle[:half], reversed(circle[half:]), strict=True)
    return [(one, other) for one, other in facing if one is not None and other is not None]


def pack(pairs: Iterable[Pair]) -> list[Round]:
    """Return rounds for these pairs alone, each pair in the first round in which both are free."""
    rounds: list[Round] = []
    busy: list[set[str]] = []
    for pair in pairs:
        free = next((n for n, taken in enumerate(busy) if taken.isdisjoint(pair)), len(rounds))
        if free == len(rounds):
            rounds.append([])
            busy.append(set())
        rounds[free].append(pair)
        busy[free].update(pair)
    return rounds


def estimate_s(rounds: int, test_s: float) -> float:
    """Return about how many seconds so many rounds take, where all pairs of a round run at once.

    Args:
        rounds: Their number.
        test_s: Seconds of one pair's test: both directions and the round trips.
    """
    return rounds * (test_s + OVERHEAD_S)
