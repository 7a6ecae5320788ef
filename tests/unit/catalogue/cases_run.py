"""Cases of what is found of a run itself: nodes that nothing judged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fleet_samples as samples
from check_case import Case, Findings, Fixture

from ansible_collections.gpulab.core.plugins.module_utils.facts.schema import FACTS_SCHEMA
from ansible_collections.gpulab.core.plugins.plugin_utils.records import records, runs, schema
from ansible_collections.gpulab.core.plugins.plugin_utils.report import lab_summary
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep import judge, targets
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep.answer import Answer

_SCHEMA = Path(schema.__file__).parent / "schemas" / "hardware.schema.json"
_SECTIONS = json.loads(_SCHEMA.read_text(encoding="utf-8"))["properties"]

_SWEPT = "a node that was swept whole is judged by its hardware"
_WENT_WELL = "a run that went well says nothing of itself"
_NO_FAULT = "that nobody looked is no fault of the node's"


def swept(*, answers: bool = True, root: bool = True, **variables: Any) -> Fixture:
    """Judge what a node answered in which no probe could read anything, or no answer at all."""

    def judged(_: Path) -> Findings:
        unread = {"status": "unknown", "reason": "it hung", "seconds": 0.3}
        probes = dict.fromkeys(_SECTIONS.keys() - {"schema", "probes"}, unread)
        facts = {**dict.fromkeys(_SECTIONS), "schema": FACTS_SCHEMA, "probes": probes}
        answer = Answer(facts if answers else None, root, "it hung", unreachable=False, seconds=0.3)
        target = targets.describe({"name": "node01", "groups": []}, variables, {})
        checks: Findings = judge.record("run1", target, answer)["checks"]
        return checks

    return judged


def summarised(prepare: Callable[[Path], object]) -> Fixture:
    """Sum up a run of one compute node after this was put into its folder."""

    def judged(folder: Path) -> Findings:
        reports = folder / samples.RUN_ID
        reports.mkdir()
        prepare(reports)
        hosts = [{"name": "node01", "groups": ["compute"]}]
        summary = lab_summary.summarise(runs.read(reports), hosts, "basement")
        return [finding for fault in summary["faults"] for finding in fault["findings"]]

    return judged


def _failure(**changes: Any) -> Callable[[Path], object]:
    content = {"schema": 1, "run_id": samples.RUN_ID}
    failures = [samples.failure("node01", **changes)]
    text = json.dumps({**content, "failures": failures})
    return lambda reports: (reports / "failures.json").write_text(text)


def _unverified(reports: Path) -> None:
    host = {"name": "node01", "groups": ["compute"]}
    records.save(records.new(samples.RUN_ID, host), reports)


CASES = {
    "spec.declared": Case(
        "a node with a spec is judged by it", swept(), "the inventory always tells it"
    ),
    "sweep.answer": Case(_SWEPT, _NO_FAULT, swept(answers=False)),
    "sweep.spec": Case(_SWEPT, _NO_FAULT, swept(node_hardware_spec="typo")),
    "sweep.root": Case(_SWEPT, _NO_FAULT, swept(root=False)),
    "run.unreachable": Case(
        _WENT_WELL,
        summarised(_failure(unreachable=True)),
        "whether a task reached a node is always known",
    ),
    "run.failed": Case(
        _WENT_WELL, summarised(_failure()), "whether a task failed on a node is always known"
    ),
    "run.record": Case(
        _WENT_WELL,
        _NO_FAULT,
        summarised(lambda reports: (reports / "node01.json").write_text("{")),
    ),
    "run.missing": Case(_WENT_WELL, _NO_FAULT, summarised(_unverified)),
}
