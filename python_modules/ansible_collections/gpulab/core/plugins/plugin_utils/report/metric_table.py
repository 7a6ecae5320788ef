"""Metrics side by side: one row per metric, one cell per node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .. import formatting
from ..checks.peers.outliers import Mark
from ..records.records import Record
from . import metric_catalogue
from .metric_values import Key, Measured, Sample
from .metric_values import of as measured_of

NO_SURVEY = "no survey"
# Bytes are scaled cell by cell, so each cell has its own unit.
_SCALED = "B"


class Row(NamedTuple):
    """A metric over all nodes; ``cells`` are texts, ``marks`` what stands out, node by node."""

    id: str
    unit: str
    cells: list[str]
    label: str
    marks: list[Mark | None]


class Table(NamedTuple):
    """Nodes that measured something, by name, and a row per metric."""

    nodes: list[str]
    rows: list[Row]


class Group(NamedTuple):
    """The rows of one group of metrics, percentiles included."""

    title: str
    rows: list[Row]


def table(records: Mapping[str, Record]) -> Table:
    """Return one row for the value of each metric, in the order of `measures.MEASURES`.

    A node that measured one metric on several parts (each GPU) shows the range over its parts. A
    metric that a node does not have is a dash, never a zero.
    """
    nodes, found = _nodes(records), measured_of(records)
    return Table(nodes, [_row(key, found, nodes) for key in found if key.statistic == "value"])


def groups(records: Mapping[str, Record]) -> tuple[list[str], list[Group]]:
    """Return the nodes that measured something, and all rows by group, without empty groups.

    Nodes of which a value stands out come first: among fifty they would not be seen.
    """
    found = measured_of(records)
    odd = {
        node
        for by_node in found.values()
        for node, samples in by_node.items()
        if any(sample.mark for sample in samples)
    }
    nodes = sorted(_nodes(records), key=lambda node: (node not in odd, node))
    by_group = {
        title: [_row(key, found, nodes) for key in found if key.measure.group == title]
        for title in metric_catalogue.GROUPS
    }
    return nodes, [Group(title, rows) for title, rows in by_group.items() if rows]


def unit(key: Key) -> str:
    """Return the unit that a table's head can name for all its cells."""
    return "" if key.unit == _SCALED else key.unit


def number(value: float, key: Key) -> str:
    """Return a number as a cell shows it, whose head has the unit."""
    return formatting.value(value, _SCALED if key.unit == _SCALED else "")


def nothing(metric: str) -> str:
    """Return what stands where a metric has no number."""
    return NO_SURVEY if metric == metric_catalogue.SATISFACTION else formatting.NOTHING


def _nodes(records: Mapping[str, Record]) -> list[str]:
    return sorted(name for name, record in records.items() if record["metrics"])


def _row(key: Key, found: Measured, nodes: Sequence[str]) -> Row:
    samples = [found[key].get(node) for node in nodes]
    marks = [next((sample.mark for sample in each or () if sample.mark), None) for each in samples]
    cells = [_cell(each, key) for each in samples]
    return Row(key.shown_id, unit(key), cells, key.label, marks)


def _cell(samples: Sequence[Sample] | None, key: Key) -> str:
    if not samples:
        # Not measured at all, or measured without a number.
        return formatting.NOTHING if samples is None else nothing(key.id)
    values = [sample.value for sample in samples]
    low, high = number(min(values), key), number(max(values), key)
    return low if low == high else f"{low} … {high}"
