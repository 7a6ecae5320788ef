"""What each node was like in its last runs: a strip of verdicts and its training speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .. import formatting
from . import metric_catalogue

# More runs than a strip can show on a phone.
MOST_RUNS = 20
# The line's box in SVG units; it is stretched to its cell.
_WIDTH, _HEIGHT = 100, 24

# By node, its runs, the oldest first: ``run_id``, ``at`` (ISO 8601), ``verdict`` and ``metrics``
# (value by metric id; those of the scope "node").
History = Mapping[str, Sequence[Mapping[str, Any]]]


class Run(NamedTuple):
    """One run of a node."""

    run_id: str
    at: str
    verdict: str


class Row(NamedTuple):
    """One node's past, the oldest first.

    ``points`` is SVG's ``points`` in a box of 100 x 24; "" where fewer than two runs trained.
    """

    node: str
    runs: list[Run]
    points: str
    last: tuple[float, float] | None
    tokens: str
    change: str


def rows(history: History) -> list[Row]:
    """Return a row for each node that has a past, by name."""
    return [_row(node, runs[-MOST_RUNS:]) for node, runs in sorted(history.items()) if runs]


def _row(node: str, runs: Sequence[Mapping[str, Any]]) -> Row:
    speeds = [(run.get("metrics") or {}).get(metric_catalogue.TOKENS_PER_S) for run in runs]
    known = [(number, speed) for number, speed in enumerate(speeds) if speed is not None]
    points = _points(known, len(runs)) if len(known) > 1 else []
    return Row(
        node,
        [Run(str(run["run_id"]), str(run.get("at") or ""), str(run["verdict"])) for run in runs],
        " ".join(f"{x},{y}" for x, y in points),
        points[-1] if points else None,
        formatting.value(known[-1][1]) if known else formatting.NOTHING,
        _change(known),
    )


def _points(known: Sequence[tuple[int, float]], runs: int) -> list[tuple[float, float]]:
    """Return the line's points; its foot is zero, so that noise does not look like a fall."""
    most = max(speed for _, speed in known) or 1.0
    return [
        (round(_WIDTH * number / max(runs - 1, 1), 1), round(_HEIGHT * (1 - 0.9 * speed / most), 1))
        for number, speed in known
    ]


def _change(known: Sequence[tuple[int, float]]) -> str:
    """Return how the newest run compares with the one before it, such as ``+1.5 %``."""
    if len(known) < 2 or not known[-2][1]:
        return ""
    return f"{100 * (known[-1][1] / known[-2][1] - 1):+.1f} %"
