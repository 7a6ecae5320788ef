"""Find out from good and bad paths what the bad ones have in common: a node's side, or one path.

A path has two ends. For what has a direction (bandwidth) they are one node's transmit side and the
other's receive side; for what has none (loss, round trip) simply the two nodes. An end is to blame
when all paths at it are bad, and they are at least two. Where more than one choice of ends would
explain the bad paths, the smaller one counts; where none is smaller, all of them are named.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

# (node, side); a side is one of these.
End = tuple[str, str]
Path = tuple[End, End]

TRANSMIT = "transmit"
RECEIVE = "receive"
BOTH = "both"

# What a path's fault is attributed to.
END = "end"
EITHER = "either"
PATH = "path"
ALL = "all"

_MANY = 2


@dataclass(frozen=True)
class Blame:
    """What explains some of the bad paths.

    Attributes:
        kind: `END`: the one end in `ends`, whose paths are all bad. `PATH`: the way between the two
            ends, each of which is fine with others. `EITHER`: one of the ends, or what is between
            them; the measurements do not tell. `ALL`: of three nodes or more no path is good, so it
            is something that all share.
        ends: The ends in question, sorted.
        paths: The bad paths that it explains, sorted.
    """

    kind: str
    ends: tuple[End, ...]
    paths: tuple[Path, ...]


def one_way(sender: str, receiver: str) -> Path:
    """Return the path of what is sent from one node to another."""
    return (sender, TRANSMIT), (receiver, RECEIVE)


def two_way(one: str, other: str) -> Path:
    """Return the path of what goes there and back."""
    first, second = sorted((one, other))
    return (first, BOTH), (second, BOTH)


def localise(bad: Iterable[Path], good: Iterable[Path]) -> list[Blame]:
    """Return what explains the bad paths; each of them is explained by exactly one blame.

    Args:
        bad: Paths that do not meet their limit.
        good: Paths that do. What was not measured is in neither.
    """
    bad, good = sorted(set(bad)), set(good)
    if not bad:
        return []
    fine = {end for path in good for end in path}
    if not fine and len({node for path in bad for node, _ in path}) > _MANY:
        return [Blame(ALL, _ends(bad), tuple(bad))]
    suspects = _suspects(bad, fine)
    blames: list[Blame] = []
    left = set(bad)
    # Where a path has one suspect only, it is that one; what it explains as well needs no other.
    for path in bad:
        choice = [end for end in path if end in suspects]
        if len(choice) == 1 and path in left:
            blames.append(_of_end(choice[0], left))
            left -= set(blames[-1].paths)
    while left:
        weight = {end: sum(end in path for path in left) for end in suspects}
        most = max(weight.values(), default=0)
        if not most:
            break
        tied = [end for end in sorted(suspects) if weight[end] == most]
        if len(tied) == 1:
            blames.append(_of_end(tied[0], left))
        else:
            paths = sorted(path for path in left if set(path) & set(tied))
            blames.append(Blame(EITHER, tuple(tied), tuple(paths)))
        left -= set(blames[-1].paths)
    return blames + [_between(path, fine) for path in sorted(left)]


def merged(blames: Iterable[Blame]) -> list[Blame]:
    """Return the blames with both directions of one node, or of one way, put together."""
    together: dict[tuple[str, tuple[str, ...]], Blame] = {}
    for blame in blames:
        # Of a way, the same two nodes; of ends, the same nodes.
        shared = blame.ends if blame.kind == END else [end for way in blame.paths for end in way]
        key = (blame.kind, tuple(sorted({node for node, _ in shared})))
        if key in together:
            ends = tuple(sorted({*together[key].ends, *blame.ends}))
            paths = tuple(sorted({*together[key].paths, *blame.paths}))
            blame = Blame(blame.kind, ends, paths)
        together[key] = blame
    return list(together.values())


def _suspects(bad: Collection[Path], fine: Collection[End]) -> set[End]:
    """Return the ends at which two paths or more are bad, and none is good."""
    ends = _ends(bad)
    return {end for end in ends if end not in fine and sum(end in p for p in bad) >= _MANY}


def _of_end(end: End, left: Collection[Path]) -> Blame:
    return Blame(END, (end,), tuple(sorted(path for path in left if end in path)))


def _between(path: Path, fine: Collection[End]) -> Blame:
    """Lay a path's fault to the way between its ends, and to an end that is fine with nobody."""
    doubtful = tuple(end for end in path if end not in fine)
    return Blame(EITHER if doubtful else PATH, doubtful or path, (path,))


def _ends(paths: Iterable[Path]) -> tuple[End, ...]:
    return tuple(sorted({end for path in paths for end in path}))
