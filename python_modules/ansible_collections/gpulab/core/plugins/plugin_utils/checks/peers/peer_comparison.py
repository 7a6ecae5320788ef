"""The stage ``fleet``: each node of a run held against the others and against the past.

It asks nothing of the nodes; making it again from the same records gives the same.
"""

from __future__ import annotations

import copy
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ... import formatting
from ...history import baselines, history, history_queries, intrusions, launches
from ...records import parts, records
from ...records.records import FLEET, Record
from ..finding import Finding, part
from ..hardware.bmc_intrusion import INTRUSION, LOOK, acknowledged_until
from . import speed_judged, uniformity

_HISTORY = history.FILE
_NO_PAST = baselines.like([])


def compare(
    folder: Path,
    found: dict[str, Record],
    connection: sqlite3.Connection | None,
    *,
    require_speed: bool = False,
) -> None:
    """Put the stage ``fleet`` into the records, and save those in which it changed something.

    Args:
        folder: The run's folder.
        found: The run's records by node; changed in place.
        connection: The history, or None where it cannot be read: parts that came back are then
            unknown, and numbers are held against this run's alone.
        require_speed: A GPU whose speed has no limit is unknown, and not only a warning.
    """
    # Worked out on a copy: where the history fails on the way, the records are as they were.
    held = copy.deepcopy(dict(found))
    uniform = uniformity.judge(held)
    samples = _Samples(held, connection)
    compared = {node: _measure(node, held, samples) for node in held}
    run_id = next((record["run_id"] for record in held.values()), "")
    past = (connection, history.moment_of(connection, run_id, held)) if connection else None
    came_back, opened, launched = _came_back(held, past), _opened(held, past), _launched(held, past)
    for node, record in held.items():
        created = record["created"]
        records.add_stage(
            record,
            FLEET,
            [
                *came_back[node],
                *opened[node],
                *uniform.get(node, []),
                *compared[node],
                *speed_judged.judge(record, required=require_speed),
            ],
            launched[node],
        )
        # Nobody has looked at the node again.
        record["created"] = created
        if record != found[node]:
            records.save(record, folder)
            found[node] = record


class _Samples:
    """What a metric is compared with: the lab's own past, or else this run's nodes.

    All nodes and GPUs of a cohort share the same answer, so each is worked out once.
    """

    def __init__(self, found: Mapping[str, Record], connection: sqlite3.Connection | None) -> None:
        """Take the run's records by node, and the history where it can be read."""
        self._found = found
        self._connection = connection
        self._moments: dict[tuple[str, str], history.Moment] = {}
        self._past: dict[tuple[str, ...], baselines.Like] = {}
        values: dict[tuple[str, str, str], list[float]] = {}
        for record in found.values():
            for metric in record["metrics"]:
                if metric["value"] is not None:
                    key = (record["cohort"], metric["id"], metric["unit"])
                    values.setdefault(key, []).append(metric["value"])
        self._peers = {key: baselines.like(each) for key, each in values.items()}

    def of(self, record: Record, metric: Mapping[str, Any]) -> tuple[baselines.Like, str]:
        """Return what the values amount to, and in words where they come from."""
        key = (record["cohort"], metric["id"], metric["unit"])
        past = self._of_past(record, metric, key)
        if past.n >= baselines.MANY:
            return past, f"{past.n} earlier values of the cohort in {_HISTORY}"
        peers = self._peers[key]
        return peers, f"{peers.n} values of the cohort in this run"

    def was_outlier(self, record: Record, metric: Mapping[str, Any]) -> bool:
        """Say whether it was an outlier the last time that it was measured there."""
        if self._connection is None:
            return False
        node = record["host"]["name"]
        moment = self._measured_at(self._connection, record, metric)
        return history_queries.was_outlier(self._connection, node, record["cohort"], metric, moment)

    def _of_past(
        self, record: Record, metric: Mapping[str, Any], key: tuple[str, str, str]
    ) -> baselines.Like:
        if self._connection is None:
            return _NO_PAST
        moment = self._measured_at(self._connection, record, metric)
        if (*key, *moment) not in self._past:
            values = history_queries.samples(self._connection, record["cohort"], metric, moment)
            self._past[(*key, *moment)] = baselines.like(values)
        return self._past[(*key, *moment)]

    def _measured_at(
        self, connection: sqlite3.Connection, record: Record, metric: Mapping[str, Any]
    ) -> history.Moment:
        """Return the run that measured it: an earlier training is held against its own past."""
        run_id = records.measured_in(record, metric)
        mine = run_id == record["run_id"]
        at = "" if mine else record["training"]["at"]
        if (run_id, at) not in self._moments:
            found = self._found if mine else {"": {"created": at}}
            self._moments[run_id, at] = history.moment_of(connection, run_id, found)
        return self._moments[run_id, at]


def _measure(node: str, found: Mapping[str, Record], samples: _Samples) -> list[Finding]:
    """Fill in ``baseline`` and ``z`` of a node's metrics, and return what stands out."""
    record = found[node]
    outliers = []
    judged = 0
    for metric in record["metrics"]:
        rule = baselines.RULES.get(metric["id"])
        if rule is None or metric["value"] is None or not record["cohort"]:
            continue
        among, source = samples.of(record, metric)
        told = baselines.judge_by(metric["value"], among, rule.better)
        metric["baseline"], metric["z"] = told.baseline, told.z
        if told.baseline is None or not rule.severity:
            continue
        judged += 1
        if told.outlier:
            confirmed = not told.confirm or samples.was_outlier(record, metric)
            outliers.append(_outlier(record, metric, rule, told, source, confirmed=confirmed))
    if outliers or not judged:
        return outliers
    number = f"{judged} metric{'' if judged == 1 else 's'}"
    return [
        baselines.CHECK.finding(
            "pass",
            parts.node_part(node),
            source=f"metrics of the cohort {record['cohort']}",
            evidence=f"{number} as good as the cohort's",
        )
    ]


def _outlier(
    record: Record,
    metric: Mapping[str, Any],
    rule: baselines.Rule,
    told: baselines.Judgement,
    source: str,
    *,
    confirmed: bool,
) -> Finding:
    unit = metric["unit"]
    side = "below" if rule.better == baselines.HIGHER else "above"
    evidence = (
        f"{formatting.value(metric['value'], unit)}, {100 * abs(told.share):.1f} % {side} the "
        f"median {formatting.value(told.baseline, unit)} of {told.n}"
    )
    if told.z is not None:
        evidence += f", modified z {told.z:.1f}"
    # What a processor without GPUs can do depends on what else runs on it.
    check = baselines.CHECKS[metric["id"]]
    severity = check.severity if _has_gpus(record) else "warn"
    action = rule.action
    if not confirmed:
        evidence += "; to be confirmed by a second run"
        node = record["host"]["name"]
        action = f"benchmark again: ansible-playbook site.yml --limit {node} --tags verify"
    return check.finding(
        severity if confirmed else "warn",
        _part(record, metric["scope"], rule.kind),
        metric["value"],
        told.baseline,
        unit=unit,
        severity=severity,
        source=source,
        evidence=evidence,
        action=action,
    )


def _has_gpus(record: Record) -> bool:
    return bool(((record["hardware"] or {}).get("nvidia") or {}).get("gpus"))


def _part(record: Record, scope: str, kind: str) -> dict[str, str]:
    """Return the part that a metric's scope names."""
    what, _, name = scope.partition(":")
    if what == "gpu":
        return next(
            (parts.label(p) for p in parts.of(record) if p.uuid == name),
            {"kind": "gpu", "uuid": name},
        )
    if what == "disk":
        return {"kind": "disk", "name": name}
    if kind != "node":
        return {"kind": kind, "name": scope}
    return parts.node_part(record["host"]["name"])


# The history, and the moment of this run in it; None where it cannot be read.
_Past = tuple[sqlite3.Connection, history.Moment] | None


def _launched(found: Mapping[str, Record], past: _Past) -> dict[str, list[dict[str, Any]]]:
    """Return, for each node, how often its benchmarks crashed lately."""
    return {
        node: launches.metrics(record, launches.before(past[0], node, past[1]) if past else None)
        for node, record in found.items()
    }


def _came_back(found: Mapping[str, Record], past: _Past) -> dict[str, list[Finding]]:
    """Return, for each node, its parts that failed before and were away since; or that none did."""
    told = {}
    for node, fitted in parts.seen(found).items():
        part = parts.node_part(node)
        if past is None:
            told[node] = [_unread(part)]
            continue
        connection, moment = past
        failures = [(p, history_queries.returned(connection, p.key, node, moment)) for p in fitted]
        told[node] = [_returned(p, failure) for p, failure in failures if failure] or [
            history_queries.RETURNED.finding(
                "pass",
                part,
                evidence=f"none of its {len(fitted)} known parts came back after a failure",
            )
        ]
    return told


def _opened(found: Mapping[str, Record], past: _Past) -> dict[str, list[Finding]]:
    """Return, for each node, an opened chassis that an earlier run saw and nobody acknowledged.

    The BMC forgets it when its log is cleared and its sensor reset.
    """
    told: dict[str, list[Finding]] = {node: [] for node in found}
    if past is None:
        return told
    connection, moment = past
    for node, record in found.items():
        own = [c for c in record["checks"] if c["id"] == INTRUSION.id and c["stage"] != FLEET]
        if not own or any(check["status"] == "fail" for check in own):
            continue
        opening = intrusions.unacknowledged(
            connection, node, INTRUSION.id, acknowledged_until(own[0]), moment
        )
        if opening:
            told[node] = [
                INTRUSION.finding(
                    "fail",
                    part("sensor", "chassis"),
                    "opened",
                    own[0]["expected"],
                    source=_HISTORY,
                    evidence=f"{intrusions.REMINDER} {opening.at} saw: "
                    f"{formatting.one_line(opening.told, 160)}",
                    action=LOOK,
                )
            ]
    return told


def _returned(part: parts.Part, failure: history_queries.Failure) -> Finding:
    return history_queries.RETURNED.finding(
        "warn",
        parts.label(part),
        failure.node,
        evidence=f"it failed on {failure.node} at {failure.at} ({failure.check_id}: "
        f"{formatting.one_line(failure.told, 120)}), was away, and is back",
        action="ask who put it back and what was repaired; watch it, and replace it when it fails "
        f"again (ansible-playbook playbooks/history.yml -e part={part.key})",
    )


def _unread(part: Mapping[str, str]) -> Finding:
    return history_queries.RETURNED.finding(
        "unknown",
        part,
        evidence="the history cannot be read, so a part that failed before is not recognised",
    )
