"""The report as one HTML page that needs nothing else: no network, no scripts."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from . import curve, matrix, smoke, terminal, words
from .records import Record

TEMPLATES = Path(__file__).parent / "templates"


def render(summary: Mapping[str, Any], records: Mapping[str, Record]) -> str:
    """Return the page.

    Args:
        summary: What :func:`gpulab_fleet.lab.summarise` returned.
        records: The run's records by node.

    Everything that came from a machine is escaped; what the page says is in its template.
    """
    names = sorted(node["name"] for node in summary["nodes"])
    losses = {name: smoke.losses(records[name]["smoke"]) for name in names if name in records}
    return _template().render(
        summary=summary,
        records=records,
        todo=terminal.merge(summary["faults"]),
        findings={name: _findings(summary, records.get(name), name) for name in names},
        metrics=matrix.table(records),
        chart=curve.chart(losses),
    )


def _findings(
    summary: Mapping[str, Any], record: Record | None, node: str
) -> list[Mapping[str, Any]]:
    """Return all that was found on a node, what did not pass first.

    What the run itself says (a failed task, a missing record) stands in no record.
    """
    faults = [fault for fault in summary["faults"] if fault["node"] == node]
    bad = [finding for fault in faults for finding in fault["findings"]]
    good = [check for check in (record["checks"] if record else []) if check["status"] == "pass"]
    return [*bad, *good]


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
        value=words.value,
        part=words.part,
        told=words.told,
        place=words.place,
        title=terminal.title,
        by_action=terminal.by_action,
    )
    return environment.get_template("report.html.j2")
