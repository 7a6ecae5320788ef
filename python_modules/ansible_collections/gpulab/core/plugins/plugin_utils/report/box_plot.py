"""The distribution of a training step's time, one box per node, as places along a strip."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any, NamedTuple

from .. import formatting
from ..records import benchmark_result

# The slowest step may take a hundred times as long as the rest. So that it does not flatten the
# boxes, the strip ends this share of their span beyond the last one; the step is told in words.
_BEYOND = 0.5
# Room before the first box, as a share of the same span.
_BEFORE = 0.08


class Box(NamedTuple):
    """One node's steps; places are percent of the strip, None where single steps were not kept.

    Attributes:
        name: The node.
        low: Place of the 5th percentile.
        first: Place of the first quartile.
        middle: Place of the median.
        third: Place of the third quartile.
        high: Place of the 95th percentile.
        slowest: Place of the slowest step.
        beyond: The slowest step lies beyond the strip's end.
        steps: How many steps were timed; None where only the summary was kept.
        median: In words.
        p95: In words.
        worst: The slowest step in words, or a dash.
    """

    name: str
    low: float | None
    first: float | None
    middle: float
    third: float | None
    high: float
    slowest: float | None
    beyond: bool
    steps: int | None
    median: str
    p95: str
    worst: str


class Chart(NamedTuple):
    """All boxes, on one axis from ``start`` to ``end`` (in words)."""

    boxes: list[Box]
    start: str
    end: str


class _Times(NamedTuple):
    """Seconds at the places of a box; those of single steps are None without them."""

    median: float
    p95: float
    p5: float | None = None
    first: float | None = None
    third: float | None = None
    most: float | None = None
    steps: int | None = None


def chart(results: Mapping[str, Mapping[str, Any] | None]) -> Chart | None:
    """Lay out one box per node that trained; None where none did.

    Args:
        results: gpulab_bench's raw result by node.
    """
    times = {name: found for name, result in results.items() if (found := _times(result))}
    if not times:
        return None
    first = min(each.median if each.p5 is None else each.p5 for each in times.values())
    last = max(each.p95 for each in times.values())
    slowest = max(each.p95 if each.most is None else each.most for each in times.values())
    # Steps that all took as long have no span: a hundredth of their time stands for it.
    span = (last - first) or 0.01 * last or 1.0
    start = max(0.0, first - _BEFORE * span)
    end = min(max(slowest, last + _BEFORE * span), last + _BEYOND * span)

    def place(second: float) -> float:
        return round(100 * min(max((second - start) / (end - start), 0.0), 1.0), 1)

    def at(second: float | None) -> float | None:
        return None if second is None else place(second)

    boxes = [
        Box(
            name,
            at(each.p5),
            at(each.first),
            place(each.median),
            at(each.third),
            place(each.p95),
            at(each.most),
            each.most is not None and each.most > end,
            each.steps,
            _told(each.median),
            _told(each.p95),
            formatting.NOTHING if each.most is None else _told(each.most),
        )
        for name, each in times.items()
    ]
    return Chart(boxes, _told(start), _told(end))


def _times(result: Mapping[str, Any] | None) -> _Times | None:
    seconds = benchmark_result.step_seconds(result)
    if len(seconds) < 2:
        summary = benchmark_result.step_summary(result)
        return _Times(*summary) if summary else None
    cuts = statistics.quantiles(seconds, n=20, method="inclusive")
    return _Times(cuts[9], cuts[18], cuts[0], cuts[4], cuts[14], max(seconds), steps=len(seconds))


def _told(second: float) -> str:
    return formatting.value(second * 1000, "ms") if second < 1 else formatting.value(second, "s")
