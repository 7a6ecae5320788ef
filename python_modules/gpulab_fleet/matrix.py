"""Metrics side by side: one row per metric, one cell per node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from . import words
from .records import Record


class Row(NamedTuple):
    """A metric over all nodes; ``cells`` are texts in the order of the nodes."""

    id: str
    unit: str
    cells: list[str]


def rows(records: Mapping[str, Record], nodes: Sequence[str]) -> list[Row]:
    """Return the metrics of ``nodes``, in the order in which the records have them.

    A node that measured one metric on several parts (each GPU) shows the range over its parts. A
    metric that a node does not have is a dash, never a zero.
    """
    names: dict[tuple[str, str], None] = {}
    values: dict[tuple[str, str, str], list[float]] = {}
    for node in nodes:
        for metric in records[node]["metrics"] if node in records else []:
            key = (metric["id"], metric["unit"])
            names.setdefault(key)
            if metric["value"] is not None:
                values.setdefault((*key, node), []).append(metric["value"])
    return [
        Row(name, unit, [_cell(values.get((name, unit, node), [])) for node in nodes])
        for name, unit in names
    ]


def _cell(found: Sequence[float]) -> str:
    if not found:
        return words.NOTHING
    low, high = words.value(min(found)), words.value(max(found))
    return low if low == high else f"{low} … {high}"
