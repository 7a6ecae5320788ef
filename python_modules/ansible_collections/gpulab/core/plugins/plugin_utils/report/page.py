"""The report as one HTML page that needs nothing else: no network, no scripts."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from .. import formatting
from ..records import benchmark_result
from ..records.records import BENCHMARK, DDP, FLEET, PAIRS, VERIFY, Record
from . import (
    all_findings,
    box_plot,
    heatmap,
    line_chart,
    metric_overview,
    metric_table,
    terminal,
    timeline,
)

TEMPLATES = Path(__file__).parent / "templates"

_STAGES = {
    VERIFY: "hardware",
    BENCHMARK: "benchmark",
    PAIRS: "pairs",
    DDP: "training together",
    FLEET: "fleet",
}
# What every lab's table of nodes shows, also where nothing reached it.
_ALWAYS = (VERIFY, BENCHMARK)
# From this many nodes on, tables scroll in a frame and the page is as wide as the window.
_LARGE = 13


def render(summary: Mapping[str, Any], records: Mapping[str, Record]) -> str:
    """Return the page.

    Args:
        summary: The content of ``lab.json``.
        records: The run's records by node.

    Everything that came from a node is escaped; what the page says is in its template.
    """
    names = sorted(node["name"] for node in summary["nodes"])
    results = {name: records[name]["benchmark"] for name in names if name in records}
    losses = {name: benchmark_result.losses(result) for name, result in results.items()}
    measured_on, groups = metric_table.groups(records)
    return _template().render(
        summary=summary,
        large=len(names) >= _LARGE,
        stages=_stages(summary),
        admitted=any(node.get("state") for node in summary["nodes"]),
        signs=formatting.SIGNS,
        notices=summary.get("notices", []),
        todo=terminal.merge(summary["faults"]),
        checks={
            name: all_findings.rows(all_findings.on_node(summary, records.get(name), name))
            for name in names
        },
        overview=metric_overview.groups(records),
        measured_on=measured_on,
        matrix=groups,
        outliers=_outliers(measured_on, groups),
        chart=line_chart.chart(losses, _suspects(summary)),
        steps=box_plot.chart(results),
        heat_maps=_heat_maps(records),
        timeline=timeline.rows(summary.get("history", {})),
    )


def _stages(summary: Mapping[str, Any]) -> dict[str, str]:
    """Return the stages that the table of nodes has a column for, with the column's head."""
    seen = {stage for node in summary["nodes"] for stage in node["stages"]}
    return {stage: head for stage, head in _STAGES.items() if stage in seen or stage in _ALWAYS}


def _suspects(summary: Mapping[str, Any]) -> set[str]:
    """Return the nodes whose benchmark is not well: their lines must be seen."""
    good = (None, "pass")
    return {node["name"] for node in summary["nodes"] if node["stages"].get(BENCHMARK) not in good}


def _outliers(nodes: list[str], groups: list[metric_table.Group]) -> list[tuple[str, str, str]]:
    """Return node, metric and reason of each marked cell; percentiles go with their value."""
    told: dict[tuple[str, str, str], None] = {}
    seen: set[tuple[str, str]] = set()
    for row in (row for group in groups for row in group.rows):
        for node, mark in zip(nodes, row.marks, strict=True):
            if mark and (node, row.id) not in seen:
                seen.add((node, row.id))
                told[node, row.label, mark.text] = None
    return list(told)


def _heat_maps(records: Mapping[str, Record]) -> list[tuple[str, str, heatmap.Map]]:
    """Return title, name of the shades' scale, and the map, of those that were measured."""
    maps = [
        ("Bandwidth", "bandwidth", heatmap.bandwidth(records)),
        ("Round trip, median", "round-trip", heatmap.round_trip(records)),
    ]
    return [(title, name, chart) for title, name, chart in maps if chart]


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        describe=formatting.describe,
        place=formatting.place,
        title=terminal.title,
        by_action=terminal.by_action,
    )
    return environment.get_template("report.html.j2")
