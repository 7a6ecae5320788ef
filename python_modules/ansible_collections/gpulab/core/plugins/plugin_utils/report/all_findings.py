"""All that was found on a node, whoever found it: what the page and the JUnit file both list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .. import formatting
from ..records.records import Record

Finding = Mapping[str, Any]
_MOST_VALUES = 3


def on_node(summary: Mapping[str, Any], record: Record | None, node: str) -> list[Finding]:
    """Return all that was found on a node, what did not pass first.

    What the run itself says (a failed task, a missing record) stands in no record.

    Args:
        summary: What :func:`~report.lab_summary.summarise` returned.
        record: The node's, where it has one that can be believed.
        node: The node's name.
    """
    faults = [fault for fault in summary["faults"] if fault["node"] == node]
    bad = [finding for fault in faults for finding in fault["findings"]]
    good = [check for check in (record["checks"] if record else []) if check["status"] == "pass"]
    return [*bad, *good]


class Row(NamedTuple):
    """One line of a node's table of checks, in words."""

    status: str
    id: str
    part: str
    observed: str
    expected: str
    source: str
    evidence: str
    action: str


def rows(findings: Iterable[Finding]) -> list[Row]:
    """Return one row per finding, except that a check that passed on several parts is one row.

    Eight healthy GPUs would fill pages on which nobody finds the one that is not.
    """
    passed: dict[str, list[Finding]] = {}
    told: list[Row] = []
    for finding in findings:
        if finding["status"] == "pass":
            passed.setdefault(finding["id"], []).append(finding)
        else:
            told.append(_row([finding]))
    return [*told, *(_row(same) for same in passed.values())]


def _row(same: list[Finding]) -> Row:
    first = same[0]
    unread = first["observed"] is None and first["expected"] is not None
    return Row(
        first["status"],
        first["id"],
        formatting.part(first["part"]) if len(same) == 1 else _parts(same),
        "not read" if unread else _values([f["observed"] for f in same], first["unit"]),
        _values([f["expected"] for f in same], first["unit"]),
        first["source"],
        first["evidence"] if len({f["evidence"] for f in same}) == 1 else "",
        first["action"],
    )


def _parts(same: list[Finding]) -> str:
    """Return how many parts, and of which kinds: ``8 x GPU``."""
    kinds = Counter(formatting.part({"kind": finding["part"]["kind"]}) for finding in same)
    return ", ".join(f"{number} x {kind}" if number > 1 else kind for kind, number in kinds.items())


def _values(values: list[Any], unit: str) -> str:
    """Return what several parts have in common, or their range, or the first few of them."""
    told = list(dict.fromkeys(formatting.value(value, unit) for value in values))
    if len(told) == 1:
        return told[0]
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        return f"{formatting.value(min(values))} … {formatting.value(max(values), unit)}"
    return ", ".join([*told[:_MOST_VALUES], *(["…"] if len(told) > _MOST_VALUES else [])])
