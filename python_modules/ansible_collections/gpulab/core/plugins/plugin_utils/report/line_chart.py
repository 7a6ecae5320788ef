"""A line chart as numbers: where the lines, ticks and labels of an inline SVG go."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from .. import formatting

WIDTH, HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 12, 40
# The template has this many colours, each plain and dashed.
_COLOURS = 6
_MOST_COLOURED = 2 * _COLOURS
_MOST_POINTS = 160


class Tick(NamedTuple):
    """A tick's place along its axis, in SVG units, and its label."""

    at: float
    label: str


class Line(NamedTuple):
    """One series: its points as SVG's ``points``, and its last value in words.

    A ``quiet`` line is one of many: it shows where the lab runs, and has no colour of its own.
    """

    name: str
    points: str
    last: str
    quiet: bool


class Chart(NamedTuple):
    """All that the template draws, quiet lines first; ``left`` to ``bottom`` frame the plot."""

    lines: list[Line]
    across: list[Tick]
    up: list[Tick]
    left: float
    right: float
    top: float
    bottom: float


def chart(
    series: Mapping[str, Sequence[float | None]], suspects: Collection[str] = ()
) -> Chart | None:
    """Lay out one line per series over its steps 1..n.

    A value that is missing or not finite breaks nothing: the line goes on at the next one. Series
    with fewer than two values are left out; without any the result is None.

    Args:
        series: Values by name.
        suspects: Of many series, those to be told apart first. The rest of the places goes to the
            series that end highest.
    """
    clean = {name: _clean(values) for name, values in series.items()}
    clean = {name: points for name, points in clean.items() if len(points) > 1}
    if not clean:
        return None
    last_step = max(step for points in clean.values() for step, _ in points)
    values = [value for points in clean.values() for _, value in points]
    ticks = _round_ticks(min(values), max(values))
    low, high = min(ticks[0], min(values)), max(ticks[-1], max(values))
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM

    def x(step: float) -> float:
        return round(_LEFT + (step - 1) / max(last_step - 1, 1) * (right - _LEFT), 1)

    def y(value: float) -> float:
        return round(bottom - (value - low) / (high - low) * (bottom - _TOP), 1)

    loud = _told_apart(clean, suspects)
    lines = [
        Line(
            name,
            " ".join(f"{x(step)},{y(value)}" for step, value in _thinned(points)),
            formatting.value(points[-1][1]),
            quiet=name not in loud,
        )
        for name, points in clean.items()
    ]
    lines.sort(key=lambda line: not line.quiet)
    steps = sorted({1, *(int(step) for step in _round_ticks(0, last_step) if step % 1 == 0)})
    return Chart(
        lines,
        [Tick(x(step), str(step)) for step in steps if 1 <= step <= last_step],
        [Tick(y(tick), formatting.value(tick)) for tick in ticks],
        _LEFT,
        right,
        _TOP,
        bottom,
    )


def _told_apart(
    series: Mapping[str, Sequence[tuple[int, float]]], suspects: Collection[str]
) -> set[str]:
    """Return the series that get a colour: all of a few, else suspects, then the worst ends."""
    if len(series) <= _MOST_COLOURED:
        return set(series)
    worst = sorted(series, key=lambda name: (name not in suspects, -series[name][-1][1]))
    return set(worst[:_COLOURS])


def _thinned(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return at most about `_MOST_POINTS` points that keep the highest and lowest of each stretch.

    A page of fifty nodes stays small, and a spike of a single step stays to be seen.
    """
    stride = -(-len(points) // (_MOST_POINTS // 2))
    if stride <= 2:
        return list(points)
    kept: set[tuple[int, float]] = {points[0], points[-1]}
    for start in range(0, len(points), stride):
        stretch = points[start : start + stride]
        kept |= {min(stretch, key=_value), max(stretch, key=_value)}
    return sorted(kept)


def _value(point: tuple[int, float]) -> float:
    return point[1]


def _clean(values: Sequence[float | None]) -> list[tuple[int, float]]:
    return [
        (step, float(value))
        for step, value in enumerate(values, 1)
        if value is not None and math.isfinite(value)
    ]


def _round_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return round numbers (1, 2 or 5 times a power of ten apart) that span ``low`` to ``high``."""
    if high == low:
        low, high = low - 0.5, high + 0.5
    raw = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(times * power for times in (1, 2, 5, 10) if times * power >= raw)
    first = math.floor(low / step)
    return [round(n * step, 12) for n in range(first, math.ceil(high / step) + 1)]
