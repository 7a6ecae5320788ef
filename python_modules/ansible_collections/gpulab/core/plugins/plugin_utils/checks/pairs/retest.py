"""Choose what is measured again before anybody is blamed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .observe import Seen
from .schedule import Pair, Round, pack

# A suspect meets so many of its bad peers again, and so many nodes that passed. Three retests of a
# bad node among 50 tell as much as 49, and a switch that fails for all costs few rounds more.
BAD_PEERS = 3
PASSED_PEERS = 2


def retest_rounds(seen: Sequence[Seen], nodes: Sequence[str]) -> list[Round]:
    """Return the rounds of the retest; none where every pair is good.

    Args:
        seen: What the first measurement shows. A pair is in doubt if anything in it is not ok.
        nodes: All nodes that took part.
    """
    measured = {_nodes(each) for each in seen}
    doubtful = sorted({_nodes(each) for each in seen if each.ok is False})
    suspects = sorted({node for pair in doubtful for node in pair})
    passed = [node for node in nodes if node not in suspects]
    chosen: list[Pair] = []
    meets: Counter[str] = Counter()
    for pair in doubtful:
        if all(meets[node] < BAD_PEERS for node in pair):
            chosen.append(pair)
            meets.update(pair)
    for number, suspect in enumerate(suspects):
        # Each begins at another one, and at one that it has not met yet.
        turned = passed[number % len(passed) :] + passed[: number % len(passed)] if passed else []
        turned.sort(key=lambda peer: _pair(suspect, peer) in measured)
        chosen += [_pair(suspect, peer) for peer in turned[:PASSED_PEERS]]
    # Without a duplicate, and in the order of choice.
    return pack(dict.fromkeys(chosen))


def _nodes(seen: Seen) -> Pair:
    (one, _), (other, _) = seen.path
    return _pair(one, other)


def _pair(one: str, other: str) -> Pair:
    return (one, other) if one < other else (other, one)
