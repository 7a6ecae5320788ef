"""Metrics side by side: one row per metric, one cell per node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from . import words
from .records import Record

# Bytes are scaled cell by cell, so each cell has its own unit.
_SCALED = "B"


class Row(NamedTuple):
    """A metric over all nodes; ``cells`` are texts in the order of the table's nodes."""

    id: str
    unit: str
    cells: list[str]


class Table(NamedTuple):
    """Nodes that measured something, by name, and a row per metric."""

    nodes: list[str]
    rows: list[Row]


def table(records: Mapping[str, Record]) -> Table:
    """Return the metrics of all records, in the order in which the records have them.

    A node that measured one metric on several parts (each GPU) shows the range over its parts. A
    metric that a node does not have is a dash, never a zero.
    """
    nodes = sorted(name for name, record in records.items() if record["metrics"])
    names: dict[tuple[str, str], None] = {}
    values: dict[tuple[str, str, str], list[float]] = {}
    for node in nodes:
        for metric in records[node]["metrics"]:
            key = (metric["id"], metric["unit"])
            names.setdefault(key)
            if metric["value"] is not None:
                values.setdefault((*key, node), []).append(metric["value"])
    rows = [
        Row(
            name,
            "" if unit == _SCALED else unit,
            [_cell(values.get((name, unit, node), []), unit) for node in nodes],
        )
        for name, unit in names
    ]
    return Table(nodes, rows)


def _cell(found: Sequence[float], unit: str) -> str:
    if not found:
        return words.NOTHING
    scaled = _SCALED if unit == _SCALED else ""
    low, high = words.value(min(found), scaled), words.value(max(found), scaled)
    return low if low == high else f"{low} … {high}"
