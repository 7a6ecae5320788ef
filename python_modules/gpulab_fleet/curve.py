"""A line chart as numbers: where the lines, ticks and labels of an inline SVG go."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from . import words

WIDTH, HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 12, 40


class Tick(NamedTuple):
    """A tick's place along its axis, in SVG units, and its label."""

    at: float
    label: str


class Line(NamedTuple):
    """One series: its points as SVG's ``points``, and its last value in words."""

    name: str
    points: str
    last: str


class Chart(NamedTuple):
    """All that the template draws; ``left`` to ``bottom`` frame the plot."""

    lines: list[Line]
    across: list[Tick]
    up: list[Tick]
    left: float
    right: float
    top: float
    bottom: float


def chart(series: Mapping[str, Sequence[float | None]]) -> Chart | None:
    """Lay out one line per series over its steps 1..n.

    A value that is missing or not finite breaks nothing: the line goes on at the next one. Series
    with fewer than two values are left out; without any the result is None.
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

    lines = [
        Line(
            name,
            " ".join(f"{x(step)},{y(value)}" for step, value in points),
            words.value(points[-1][1]),
        )
        for name, points in clean.items()
    ]
    steps = sorted({1, *(round(1 + (last_step - 1) * part / 4) for part in range(1, 5))})
    return Chart(
        lines,
        [Tick(x(step), str(step)) for step in steps],
        [Tick(y(tick), words.value(tick)) for tick in ticks],
        _LEFT,
        right,
        _TOP,
        bottom,
    )


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
