"""Bandwidth and round trip between each two nodes, as two square tables."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

from .. import formatting
from ..records.records import PAIRS, Record
from . import metric_catalogue

_DIRECTION = re.compile(r"(\S+) (to|and) ([^\s:;,]+)")
# Shades from none (0) to full; the template has one style for each.
SHADES = 5


class Cell(NamedTuple):
    """One direction of one pair; ``shade`` is None where it has no number."""

    text: str
    shade: int | None
    bad: bool
    diagonal: bool


class Map(NamedTuple):
    """``rows`` follow ``nodes``, as do the cells of each.

    ``high`` is the most, at the full shade; ``worst`` says which direction is the worst.
    """

    unit: str
    nodes: list[str]
    rows: list[list[Cell]]
    high: str
    worst: str
    measured: int
    possible: int


def bandwidth(records: Mapping[str, Record]) -> Map | None:
    """Return the bandwidth from each row's node to each column's; the fullest shade is the most."""
    return _map(records, metric_catalogue.PAIR_BANDWIDTH)


def round_trip(records: Mapping[str, Record]) -> Map | None:
    """Return the median round trip between two nodes; the fullest shade is the longest."""
    return _map(records, metric_catalogue.PAIR_ROUND_TRIP)


def _map(records: Mapping[str, Record], metric_id: str) -> Map | None:
    values: dict[tuple[str, str], float] = {}
    nodes: set[str] = set()
    unit = ""
    for node, record in records.items():
        for metric in record["metrics"]:
            kind, _, peer = metric["scope"].partition(":")
            if metric["id"] != metric_id or kind != "peer":
                continue
            nodes |= {node, peer}
            unit = metric["unit"]
            if metric["value"] is not None:
                values[node, peer] = metric["value"]
    if not nodes:
        return None
    names = sorted(nodes)
    bad = _bad_pairs(records, nodes)
    most = max(values.values(), default=0.0)
    rows = [
        [_cell(values.get((a, b)), most, (metric_id, a, b) in bad, a == b) for b in names]
        for a in names
    ]
    return Map(
        unit,
        names,
        rows,
        _short(most) if values else formatting.NOTHING,
        _worst(values, metric_id),
        len(values),
        len(names) * (len(names) - 1),
    )


def _worst(values: Mapping[tuple[str, str], float], metric_id: str) -> str:
    """Return the pair with the least bandwidth or the longest round trip, in words; "" for none."""
    if not values:
        return ""
    ascending = sorted(values, key=lambda pair: values[pair])
    is_bandwidth = metric_id == metric_catalogue.PAIR_BANDWIDTH
    pair = ascending[0] if is_bandwidth else ascending[-1]
    extreme = "lowest" if is_bandwidth else "longest"
    return f"{extreme} {_short(values[pair])} from {pair[0]} to {pair[1]}"


def _cell(value: float | None, most: float, bad: bool, diagonal: bool) -> Cell:
    if diagonal:
        return Cell("", None, False, True)
    if value is None:
        return Cell(formatting.NOTHING, None, bad, False)
    # From nothing to the most, so that an even lab is evenly coloured and a lame pair stands out.
    shade = round((SHADES - 1) * value / most) if most > 0 else 0
    return Cell(_short(value), shade, bad, False)


def _short(value: float) -> str:
    """Return three significant digits, below 1 two: a cell of fifty is narrow."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 1 else f"{value:.2g}"


def _bad_pairs(records: Mapping[str, Record], nodes: Collection[str]) -> set[tuple[str, str, str]]:
    """Return metric, node and peer of each direction that a check of `PAIRS` did not pass.

    Such a finding has its metric's id, and its evidence names the directions: "a to b", or "a and
    b" for both.
    """
    bad = set()
    for record in records.values():
        for finding in record["checks"]:
            if finding["stage"] != PAIRS or finding["status"] not in ("warn", "fail"):
                continue
            for one, word, other in _DIRECTION.findall(finding["evidence"]):
                if one in nodes and other in nodes:
                    bad.add((finding["id"], one, other))
                    if word == "and":
                        bad.add((finding["id"], other, one))
    return bad
