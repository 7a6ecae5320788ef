"""The lab's verdict: what every node amounts to, and what is wrong by physical part.

The result of :func:`summarise` is ``lab.json`` (``schemas/lab.schema.json``); the terminal and the
page are two ways to show it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .. import formatting
from ..checks.verdict import verdict_of, worst
from ..inventory import sources
from ..records import failures, records, run_checks
from ..records.parts import node_part
from ..records.records import BENCHMARK, STAGES, VERIFY, Record, now
from ..records.runs import Run

Summary = dict[str, Any]
Finding = dict[str, Any]

# What an owner looks at first.
_ORDER = {"fail": 0, "unknown": 1, "warn": 2, "pass": 3}
# The group whose nodes must also pass the benchmark.
_BENCHMARKED = "compute"


def summarise(
    run: Run, expected: Iterable[Mapping[str, Any]], lab: str, stages: Sequence[str] = STAGES
) -> Summary:
    """Return the lab's verdict with everything that supports it.

    Args:
        run: What the run left behind.
        expected: The nodes that the run was about, as ``host`` of a record (only ``name`` is
            needed). One that has no record is shown as ``fail`` or ``unknown``, never left out.
        lab: The lab's name.
        stages: The stages that the run was about; a node lacks none of the others.

    Returns:
        ``verdict``, ``counts``, ``nodes``, ``faults``, ``problems`` (``schemas/lab.schema.json``).
    """
    hosts = _hosts(run, expected)
    found = {name: _findings(run, name, host, stages) for name, host in hosts.items()}
    nodes = [_node(run, host, found[name]) for name, host in hosts.items()]
    nodes.sort(key=lambda node: (_ORDER[node["verdict"]], node["name"]))
    problems = [*run.problems, *_stops(run)]
    verdicts = [node["verdict"] for node in nodes]
    count = Counter(verdicts)
    return {
        "schema": 1,
        "run_id": run.run_id,
        "lab": lab,
        "stages": list(stages),
        "verdict": worst([*verdicts, "unknown"] if problems else verdicts),
        "created": now(),
        "counts": {verdict: count[verdict] for verdict in _ORDER},
        "nodes": nodes,
        "faults": _faults(hosts, found),
        "problems": problems,
    }


def _hosts(run: Run, expected: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Every node that anything is known of; what the record says of it wins."""
    blank: dict[str, Any] = {"serial": "", "rack": "", "unit": None, "groups": [], "spec": ""}
    hosts = {host["name"]: {**blank, **host} for host in expected}
    for name in [*run.broken, *(failure["host"] for failure in run.failures)]:
        hosts.setdefault(name, {**blank, "name": name})
    for name, record in run.records.items():
        hosts[name] = dict(record["host"])
    return dict(sorted(hosts.items()))


def _findings(run: Run, name: str, host: Mapping[str, Any], stages: Sequence[str]) -> list[Finding]:
    """All that was found on a node, its record's checks first."""
    record = run.records.get(name)
    checks = list(record["checks"]) if record else []
    own = [f for f in run.failures if f["host"] == name and not f["every_host"]]
    failed = [_failed_task(failure) for failure in own]
    if name in run.broken:
        failed.append(_unreadable(name, run.broken[name]))
    return [*checks, *(failed or _not_reached(run, name, host, record, stages))]


def _node(run: Run, host: Mapping[str, Any], findings: Sequence[Finding]) -> dict[str, Any]:
    record: Record = run.records.get(host["name"]) or {}
    trained_in = (record.get("training") or {}).get("run_id", "")
    bad = sorted((f for f in findings if f["status"] != "pass"), key=_weight)
    counts = Counter(finding["status"] for finding in findings)
    return {
        **host,
        "verdict": records.verdict(findings),
        "reason": f"{bad[0]['id']}: {formatting.describe(bad[0])}" if bad else "",
        "stages": dict(record.get("stages", {})),
        "checks": {status: counts[status] for status in _ORDER},
        "profile": record.get("profile", ""),
        "cohort": record.get("cohort", ""),
        "record": f"{host['name']}.json" if record else "",
        "trained_in": trained_in,
    }


def _faults(
    hosts: Mapping[str, Mapping[str, Any]], found: Mapping[str, Sequence[Finding]]
) -> list[dict[str, Any]]:
    """Group what is wrong by the part that a person would touch, the worst part first."""
    parts: dict[tuple[str, ...], dict[str, Any]] = {}
    for name, findings in found.items():
        for finding in findings:
            if finding["status"] == "pass":
                continue
            part = finding["part"]
            fault = parts.setdefault(
                (name, part["kind"], _identity(part)),
                {
                    "node": name,
                    "place": formatting.place(hosts[name]),
                    "part": part,
                    "label": formatting.part(part),
                    "verdict": "",
                    "actions": [],
                    "findings": [],
                },
            )
            fault["findings"].append(finding)
    for fault in parts.values():
        fault["findings"].sort(key=_weight)
        fault["verdict"] = verdict_of(fault["findings"])
        actions = (finding["action"] for finding in fault["findings"])
        fault["actions"] = list(dict.fromkeys(action for action in actions if action))
    return sorted(parts.values(), key=lambda f: (_ORDER[f["verdict"]], f["node"], f["label"]))


def _identity(part: Mapping[str, str]) -> str:
    """What tells two parts of one kind apart: what is engraved on it before where it sits."""
    marks = (part.get(mark, "") for mark in ("serial", "bdf", "slot", "uuid", "name"))
    return next((mark for mark in marks if mark), "")


def _weight(finding: Mapping[str, Any]) -> int:
    return _ORDER[verdict_of([finding])]


def _failed_task(failure: Mapping[str, Any]) -> Finding:
    source = f"task {failure['task']!r}" if failure["task"] else f"play {failure['play']!r}"
    check = run_checks.UNREACHABLE if failure["unreachable"] else run_checks.FAILED
    found = check.finding(
        "fail",
        node_part(failure["host"]),
        source=source,
        action=failure["action"],
        evidence=f"{failure['stage']}: {failure['message']}",
    )
    return {"stage": failure["stage"], **found}


def _unreadable(name: str, why: str) -> Finding:
    found = run_checks.RECORD.finding(
        "unknown",
        node_part(name),
        source=f"{name}.json",
        action=f"remove that file and verify again: {_verify_again(name)}",
        evidence=why,
    )
    return {"stage": "report", **found}


def _stops(run: Run) -> list[str]:
    """Tasks that run once for all hosts and failed: no node's fault, but the run is not whole."""
    return [
        f"{failure['stage']} stopped for every host: {failure['message']} ({failure['action']})"
        for failure in run.failures
        if failure["every_host"]
    ]


def _not_reached(
    run: Run, name: str, host: Mapping[str, Any], record: Record | None, stages: Sequence[str]
) -> list[Finding]:
    """What a node still lacks to be judged; empty when it went through every stage due to it."""
    done = record["stages"] if record else {}
    due = [VERIFY, BENCHMARK] if _BENCHMARKED in host["groups"] else [VERIFY]
    stop = next((failure for failure in run.failures if failure["every_host"]), None)
    why = f"; the run stopped for all at {stop['stage']}: {stop['message']}" if stop else ""
    missing = [stage for stage in due if stage in stages and stage not in done]
    if not missing:
        return []
    found = run_checks.MISSING.finding(
        "unknown",
        node_part(name),
        source=f"{name}.json",
        action=stop["action"] if stop else _verify_again(name),
        evidence=f"not reached in this run: {', '.join(missing)}{why}",
    )
    return [{"stage": missing[0], **found}]


def _verify_again(name: str) -> str:
    """Return the command for this node of this lab: another one may have a node of its name."""
    return failures.rerun_command("site.yml", name, sources.named(), ["verify"])
