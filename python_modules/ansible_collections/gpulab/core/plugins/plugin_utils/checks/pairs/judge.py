"""From the measurements of a run to each node's findings and metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..finding import Finding
from . import messages
from .catalogue import PAIR_CHECKS
from .localise import END, Blame, End, Path, localise, merged, two_way
from .metrics import metrics_of
from .nodes import Node
from .observe import (
    BAD,
    BANDWIDTH,
    GOOD,
    INTERMITTENT,
    LOSS,
    MEASURED,
    ROUND_TRIP,
    SYMPTOMS,
    Limits,
    Measurement,
    Seen,
    latest,
    observe,
    settle,
)
from .parts import Hardware, end_part, link_part
from .schedule import Pair

_CHECKS = {check.id: check for check in PAIR_CHECKS}
_UNITS = {MEASURED: "", BANDWIDTH: "Gb/s", LOSS: "%", ROUND_TRIP: "ms"}


def judge(
    nodes: Mapping[str, Node],
    due: Iterable[Pair],
    measurements: Sequence[Measurement],
    *,
    zone: str,
    limits: Limits,
    hardware: Mapping[str, Hardware],
) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return ``findings`` and ``metrics`` by node.

    Args:
        nodes: Those that took part.
        due: The pairs of the first measurement, by the plan.
        measurements: Of first test and retest (``again``); a pair that is due and has none counts
            as not measured.
        zone: Where it was measured.
        limits: For all pairs alike.
        hardware: What ``hardware_info`` read of a node, as far as it did: it names the card's PCI
            address and the switch port at its cable.

    Returns:
        A fault stands with the node that it was attributed to; what lies between two nodes, or
        cannot be told, with both.
    """
    first = [each for each in measurements if not each["again"]]
    again = [each for each in measurements if each["again"]]
    seen_first = [*look(nodes, first, limits), *missing(due, first)]
    seen_again = look(nodes, again, limits)
    states = settle(seen_first, seen_again)
    shown = _shown([*seen_first, *seen_again], states)
    told = {name: _Told(name, nodes[name], zone, shown, hardware.get(name)) for name in nodes}
    for symptom in SYMPTOMS:
        by_state: dict[str, list[Path]] = {GOOD: [], BAD: [], INTERMITTENT: []}
        for (which, path), state in states.items():
            if which == symptom:
                by_state[state].append(path)
        # A path that is bad only now and then clears neither of its ends.
        blames = merged(localise(by_state[BAD], by_state[GOOD]))
        for node in told.values():
            node.tell(symptom, blames, by_state)
    newest = latest(first, again)
    return {
        name: {"findings": node.findings, "metrics": metrics_of(name, newest)}
        for name, node in told.items()
    }


def look(
    nodes: Mapping[str, Node], measurements: Iterable[Measurement], limits: Limits
) -> list[Seen]:
    """Return what the measurements show."""
    return [seen for measured in measurements for seen in observe(measured, nodes, limits)]


def missing(due: Iterable[Pair], measurements: Iterable[Measurement]) -> list[Seen]:
    """Return a symptom for each pair that was due and has no measurement."""
    there = {frozenset((each["client"], each["server"])) for each in measurements}
    return [
        Seen(MEASURED, two_way(*pair), False, None, None, f"{pair[0]} returned no measurement")
        for pair in due
        if frozenset(pair) not in there
    ]


def _shown(
    seen: Iterable[Seen], states: Mapping[tuple[str, Path], str]
) -> dict[tuple[str, Path], Seen]:
    """Return what is told of each path: the newest, of one that came and went the bad one."""
    shown = {}
    for each in seen:
        key = (each.symptom, each.path)
        if each.ok is None or (each.ok and states[key] == INTERMITTENT):
            continue
        shown[key] = each
    return shown


class _Told:
    """What is told of one node."""

    def __init__(
        self,
        name: str,
        node: Node,
        zone: str,
        shown: Mapping[tuple[str, Path], Seen],
        hardware: Hardware | None,
    ) -> None:
        self.findings: list[Finding] = []
        self._name, self._node, self._zone = name, node, zone
        self._shown, self._hardware = shown, hardware

    def tell(
        self, symptom: str, blames: Sequence[Blame], by_state: Mapping[str, Sequence[Path]]
    ) -> None:
        """Add the findings of one symptom, if it was looked for at this node."""
        own = {state: [way for way in ways if self._at(way)] for state, ways in by_state.items()}
        laid = [blame for blame in blames if self._concerns(blame)]
        for blame in laid:
            self._add(symptom, blame.paths, "unknown" if symptom == MEASURED else "fail", blame)
        if own[INTERMITTENT]:
            self._add(symptom, own[INTERMITTENT], "warn", None)
        if laid or own[INTERMITTENT]:
            return
        # A side that was only seen with nodes that are at fault has not shown that it works.
        if self._ends(own[BAD]) - self._ends(own[GOOD]):
            self._add(symptom, own[BAD], "unknown", None)
        elif own[GOOD]:
            self._add(symptom, own[GOOD], "pass", None)

    def _at(self, path: Path) -> bool:
        return self._name in (path[0][0], path[1][0])

    def _ends(self, paths: Iterable[Path]) -> set[End]:
        return {end for path in paths for end in path if end[0] == self._name}

    def _concerns(self, blame: Blame) -> bool:
        """Whether it is attributed to this node, or to what is between this node and another."""
        if blame.kind == END:
            return any(node == self._name for node, _ in blame.ends)
        return any(self._at(path) for path in blame.paths)

    def _source(self, symptom: str) -> str:
        source = _CHECKS[symptom].source
        declared = symptom == BANDWIDTH and self._node.rate_source
        return f"{source}; line rate: {declared}" if declared else source

    def _add(self, symptom: str, paths: Sequence[Path], status: str, blame: Blame | None) -> None:
        seen = [self._shown[symptom, path] for path in sorted(paths)]
        worst = messages.worst(symptom, seen)
        if blame is None or blame.kind == END:
            part = end_part(self._name, self._node, seen, self._hardware)
        else:
            part = link_part(blame, seen, self._zone)
        self.findings.append(
            _CHECKS[symptom].finding(
                status,
                part,
                worst.value,
                worst.limit,
                unit=_UNITS[symptom],
                source=self._source(symptom),
                action=messages.action(symptom, status, blame),
                evidence=messages.evidence(symptom, status, blame, seen, self._zone),
            )
        )
