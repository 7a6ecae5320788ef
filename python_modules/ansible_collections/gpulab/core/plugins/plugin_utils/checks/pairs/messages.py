"""What a fault between nodes is called, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

from .catalogue import AGAIN, REACH, REPAIR_PEERS
from .localise import ALL, BOTH, EITHER, END, PATH, RECEIVE, TRANSMIT, Blame, Path
from .observe import BANDWIDTH, LOSS, MEASURED, ROUND_TRIP, Seen

# So many paths are told in full; the worst come first.
_TOLD = 4

_IS_BAD = {
    MEASURED: "could not be measured",
    BANDWIDTH: "slow",
    LOSS: "loses packets",
    ROUND_TRIP: "answers late",
}
_LOOK = {
    MEASURED: REACH,
    BANDWIDTH: "swap the cable or transceiver, then the switch port, then the card; "
    "`ethtool -S INTERFACE` counts errors and pauses, `ethtool INTERFACE` shows the agreed speed",
    LOSS: "swap the cable or transceiver, then the switch port, then the card; "
    "`ethtool -S INTERFACE` and the switch port count what is dropped, `nft list ruleset` may drop",
    ROUND_TRIP: "look for a full queue or a long way: `tc -s qdisc`, interrupt coalescing "
    "(`ethtool -c INTERFACE`), the power saving of the processor, routes",
}


def path(way: Path) -> str:
    """Return a path in words: ``a to b``, or ``a and b`` without a direction."""
    (one, side), (other, _) = way
    return f"{one} {'and' if side == BOTH else 'to'} {other}"


def worst(symptom: str, seen: Sequence[Seen]) -> Seen:
    """Return the worst: the least bandwidth, the most of anything else."""
    return _by_badness(symptom, seen)[0]


def evidence(
    symptom: str, status: str, blame: Blame | None, seen: Sequence[Seen], zone: str
) -> str:
    """Return one line that shows why.

    Args:
        symptom: The finding's id.
        status: The finding's.
        blame: What the fault is attributed to; None where there is none.
        seen: The paths that are told of, at least one.
        zone: Where it was measured, or ''.
    """
    listed = "; ".join(f"{path(s.path)}: {s.told}" for s in _by_badness(symptom, seen)[:_TOLD])
    more = f"; and {len(seen) - _TOLD} more" if len(seen) > _TOLD else ""
    where = f" in {zone}" if zone else ""
    return f"{_headline(symptom, status, blame, len(seen))}{where}: {listed}{more}"


def action(symptom: str, status: str, blame: Blame | None) -> str:
    """Return what to do next; '' for a pass."""
    if status == "pass":
        return ""
    look = _LOOK[symptom]
    if blame is None:
        if status == "unknown":
            return REPAIR_PEERS
        return f"it came and went, as with a loose cable or other traffic: {look}; {AGAIN}"
    if blame.kind == END:
        return f"{look}; {AGAIN}"
    if blame.kind == PATH:
        return (
            "both nodes are fine with others, so look at what only these two share: a link "
            f"between two switches, one member of a bundle, a route; {AGAIN}"
        )
    if blame.kind == ALL:
        return (
            "no pair is good, so look at what all share: the switch, its ports' speed and MTU, "
            f"the host of virtual machines; or the declared limit is wrong; {AGAIN}"
        )
    return f"a third node that is fine would tell which end it is; until then {look}; {AGAIN}"


def _headline(symptom: str, status: str, blame: Blame | None, paths: int) -> str:
    count = f"{paths} {'path' if paths == 1 else 'paths'}"
    if blame is None:
        if status == "pass":
            return f"{count} measured"
        if status == "unknown":
            return f"seen only with peers that are at fault, {count}"
        return f"{_IS_BAD[symptom]} in one of two tests, {count}"
    if blame.kind == ALL:
        return f"{_IS_BAD[symptom]} everywhere, {count}"
    if blame.kind == END:
        side = {TRANSMIT: "when it sends, ", RECEIVE: "when it receives, "}
        sides = {end[1] for end in blame.ends}
        said = side.get(sides.pop(), "") if len(sides) == 1 else "both ways, "
        return f"{_IS_BAD[symptom]} with every peer, {said}{count}"
    if blame.kind == EITHER:
        return f"{_IS_BAD[symptom]}, and which end is at fault cannot be told, {count}"
    ways = "both ways, " if paths > 1 else ""
    return f"{_IS_BAD[symptom]} between these two only, {ways}{count}"


def _by_badness(symptom: str, seen: Sequence[Seen]) -> list[Seen]:
    sign = 1 if symptom == BANDWIDTH else -1
    return sorted(seen, key=lambda s: (s.value is None, sign * (s.value or 0), s.path))
