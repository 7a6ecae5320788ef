"""The whole lab in one table: each metric's middle, its ends, and where every node lies between."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import NamedTuple

from ..records.records import Record
from . import metric_catalogue, metric_table, metric_values
from .metric_values import Key, Sample

NOT_MEASURED = "not measured"
# A strip spans at least this share of the median to either side, so that a lab of like nodes looks
# like one. It is the least deviation that counts as an outlier (docs/report.md).
_LEAST_SPAN = 0.05


class Dot(NamedTuple):
    """One measured value: its place in percent of the strip, and whether it stands out."""

    at: float
    marked: bool


class Row(NamedTuple):
    """A metric over the lab; ``low`` and ``high`` are "" where all values are one.

    ``nodes`` counts those with a number; ``median`` says so in words where there is none.
    """

    id: str
    label: str
    unit: str
    median: str
    low: str
    high: str
    low_node: str
    high_node: str
    nodes: int
    dots: list[Dot]


class Group(NamedTuple):
    """The rows of one group of metrics."""

    title: str
    rows: list[Row]


def groups(records: Mapping[str, Record]) -> list[Group]:
    """Return every metric by group; [] where no node measured anything.

    A metric that is due and that nobody measured is there as "not measured".
    """
    found = metric_values.of(records)
    if not found:
        return []
    keys = list(found)
    known = {key.id for key in keys}
    keys += [
        Key(measure.id, "value", measure.unit)
        for measure in metric_catalogue.MEASURES
        if measure.due and measure.id not in known
    ]
    keys.sort(key=lambda key: metric_catalogue.order(key.id))
    by_group = {
        title: [_row(key, found.get(key, {})) for key in keys if key.measure.group == title]
        for title in metric_catalogue.GROUPS
    }
    return [Group(title, rows) for title, rows in by_group.items() if rows]


def _row(key: Key, nodes: Mapping[str, list[Sample]]) -> Row:
    samples = [(sample, node) for node, each in nodes.items() for sample in each]
    if not samples:
        none = metric_table.NO_SURVEY if key.id == metric_catalogue.SATISFACTION else NOT_MEASURED
        # Without a number there is nothing for a unit to measure.
        return Row(key.id, key.label, "", none, "", "", "", "", 0, [])
    lowest = min(samples, key=lambda item: item[0].value)
    highest = max(samples, key=lambda item: item[0].value)
    low, high = (
        metric_table.number(lowest[0].value, key),
        metric_table.number(highest[0].value, key),
    )
    same = low == high
    return Row(
        key.shown_id,
        key.label,
        metric_table.unit(key),
        metric_table.number(statistics.median(sample.value for sample, _ in samples), key),
        "" if same else low,
        "" if same else high,
        "" if same else lowest[1],
        "" if same else highest[1],
        len({node for _, node in samples}),
        [] if same else _dots([sample for sample, _ in samples]),
    )


def _dots(samples: list[Sample]) -> list[Dot]:
    """Return the values' places; those that would cover each other are one, marked ones on top."""
    values = [sample.value for sample in samples]
    middle = statistics.median(values)
    low = min(*values, middle - _LEAST_SPAN * abs(middle))
    high = max(*values, middle + _LEAST_SPAN * abs(middle))
    places: dict[float, bool] = {}
    for sample in samples:
        # Half a percent is less than a dot's width.
        at = round(200 * (sample.value - low) / (high - low)) / 2
        places[at] = places.get(at, False) or sample.mark is not None
    dots = [Dot(at, marked) for at, marked in places.items()]
    return sorted(dots, key=lambda dot: (dot.marked, dot.at))
