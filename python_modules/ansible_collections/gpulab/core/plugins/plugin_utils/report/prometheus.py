"""The run as metrics in Prometheus' text format, for node_exporter's textfile collector.

Verdicts and statuses are numbers in the order of their weight, so that ``max`` over them is the
verdict: 0 pass, 1 warn, 2 unknown, 3 fail. A metric without a number has no sample.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .. import formatting
from ..records.records import Record
from . import all_findings

WEIGHTS = {"pass": 0, "warn": 1, "unknown": 2, "fail": 3}
_SCALE = "0 pass, 1 warn, 2 unknown, 3 fail"
_QUANTILES = {"p50": "0.5", "p95": "0.95", "p99": "0.99"}

Labels = tuple[tuple[str, str], ...]


class Family(NamedTuple):
    """One metric's name, what it is, and its samples; a series is there once."""

    name: str
    help: str
    samples: dict[Labels, float]

    def add(self, value: float, **labels: str) -> None:
        """Add a sample; of two with the same labels the higher, which weighs more, stays."""
        key = tuple(sorted(labels.items()))
        self.samples[key] = max(value, self.samples.get(key, value))


def render(summary: Mapping[str, Any], records: Mapping[str, Record]) -> str:
    """Return the text.

    Args:
        summary: What :func:`~report.lab_summary.summarise` returned.
        records: The run's records by node.
    """
    families = [
        *_lab(summary),
        *_nodes(summary),
        _recorded(records),
        _checks(summary, records),
        *_metrics(records),
    ]
    return "".join(_text(family) for family in families if family.samples)


def _lab(summary: Mapping[str, Any]) -> Iterator[Family]:
    lab, run_id = summary["lab"], summary["run_id"]
    info = Family("gpulab_run_info", "The run that these metrics are of.", {})
    info.add(1, lab=lab, run_id=run_id)
    yield info
    written = Family("gpulab_run_timestamp_seconds", "When the report was written, Unix time.", {})
    written.add(_unix(summary["created"]), lab=lab)
    yield written
    verdict = Family("gpulab_lab_verdict", f"Verdict on the lab: {_SCALE}.", {})
    verdict.add(WEIGHTS[summary["verdict"]], lab=lab)
    yield verdict
    nodes = Family("gpulab_lab_nodes", "Nodes of the run by verdict.", {})
    for name, count in summary["counts"].items():
        nodes.add(count, lab=lab, verdict=name)
    yield nodes


def _nodes(summary: Mapping[str, Any]) -> Iterator[Family]:
    verdict = Family("gpulab_node_verdict", f"Verdict on a node: {_SCALE}.", {})
    stage = Family("gpulab_node_stage_verdict", f"Verdict on a stage of a node: {_SCALE}.", {})
    state = Family("gpulab_node_state", "1 for the state of admission that a node is in.", {})
    for node in summary["nodes"]:
        unit = "" if node["unit"] is None else str(node["unit"])
        verdict.add(WEIGHTS[node["verdict"]], node=node["name"], rack=node["rack"], unit=unit)
        for name, weight in node["stages"].items():
            stage.add(WEIGHTS[weight], node=node["name"], stage=name)
        if node.get("state"):
            state.add(1, node=node["name"], state=node["state"])
    yield from (verdict, stage, state)


def _recorded(records: Mapping[str, Record]) -> Family:
    written = Family(
        "gpulab_node_record_timestamp_seconds", "When a node was last looked at, Unix time.", {}
    )
    for node, record in sorted(records.items()):
        written.add(_unix(record["created"]), node=node)
    return written


def _checks(summary: Mapping[str, Any], records: Mapping[str, Record]) -> Family:
    status = Family("gpulab_check_status", f"Status of a check on a part: {_SCALE}.", {})
    for node in summary["nodes"]:
        name = node["name"]
        for finding in all_findings.on_node(summary, records.get(name), name):
            status.add(
                WEIGHTS[finding["status"]],
                node=name,
                stage=finding["stage"],
                check=finding["id"],
                part=formatting.part(finding["part"]),
                severity=finding["severity"],
            )
    return status


def _metrics(records: Mapping[str, Record]) -> Iterator[Family]:
    value = Family("gpulab_metric", "A number that the benchmark or a pair of nodes gave.", {})
    quantile = Family("gpulab_metric_quantile", "A percentile of the same, as its quantile.", {})
    baseline = Family("gpulab_metric_baseline", "The median that the number was held against.", {})
    for node, record in sorted(records.items()):
        for metric in record["metrics"]:
            labels = {"node": node, "metric": metric["id"], "scope": metric["scope"]}
            labels["unit"] = metric["unit"]
            if metric["value"] is not None:
                value.add(metric["value"], **labels)
            if metric.get("baseline") is not None:
                baseline.add(metric["baseline"], **labels)
            for key, at in _QUANTILES.items():
                if metric.get(key) is not None:
                    quantile.add(metric[key], q=at, **labels)
    yield from (value, quantile, baseline)


def _text(family: Family) -> str:
    lines = [f"# HELP {family.name} {family.help}", f"# TYPE {family.name} gauge"]
    for labels, value in family.samples.items():
        told = ",".join(f'{name}="{_escape(text)}"' for name, text in labels)
        lines.append(f"{family.name}{{{told}}} {_number(value)}")
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    """Return a label's value as the text format wants it (backslash, quote, line feed)."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _unix(time: str) -> float:
    return datetime.datetime.fromisoformat(time).timestamp()


def _number(value: float) -> str:
    if isinstance(value, float) and value.is_integer() and math.fabs(value) < 2**53:
        return str(int(value))
    return repr(value)
