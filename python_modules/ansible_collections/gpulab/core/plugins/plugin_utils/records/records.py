"""One record per node and run: built up stage by stage, checked against its schema, kept as JSON.

The shape is ``schemas/record.schema.json``. A stage that runs again in the same run replaces what
it said before and leaves the other stages' part alone.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..checks.node_spec import NO_SPEC
from ..checks.verdict import PASS, verdict_of
from . import cohort, parts, paths, schema, upgrade
from .run_checks import SPEC_DECLARED

Record = dict[str, Any]

#: Of the form of a record; `upgrade` reads the older ones.
SCHEMA = 3

VERIFY = "verify"
BENCHMARK = "benchmark"
PAIRS = "pairs"
DDP = "ddp"
FLEET = "fleet"
# In the order in which they run, and in which their findings are shown.
STAGES = (VERIFY, BENCHMARK, PAIRS, DDP, FLEET)
# Files of a run that are no record, so no node can have these names.
RESERVED = frozenset({"lab", "failures"})


class RecordError(ValueError):
    """A record that cannot be built, read or trusted; the text says what is wrong with it."""


def new(run_id: str, host: Mapping[str, Any]) -> Record:
    """Return an empty record: verdict ``unknown``, because nothing has been looked at.

    Args:
        run_id: The run's id.
        host: ``name``, and ``serial``, ``rack``, ``unit``, ``groups`` as far as declared.
    """
    return {
        "schema": SCHEMA,
        "run_id": run_id,
        "host": {
            "name": str(host["name"]),
            "serial": str(host.get("serial") or ""),
            "rack": str(host.get("rack") or ""),
            "unit": host.get("unit"),
            "groups": sorted({str(group) for group in host.get("groups") or []}),
            "spec": "",
        },
        "profile": "",
        "cohort": "",
        "verdict": verdict_of([]),
        "stages": {},
        "checks": [],
        "metrics": [],
        "durations_s": {},
        "hardware": None,
        "benchmark": None,
        "training": None,
        "created": now(),
    }


def add_verification(
    record: Record, hardware: Mapping[str, Any], verification: Mapping[str, Any], spec: str
) -> None:
    """Put in what ``hardware_info`` read and what ``hardware_verify`` made of it.

    Args:
        record: Changed in place.
        hardware: ``hardware`` of ``gpulab.core.hardware_info``.
        verification: The result of ``gpulab.core.hardware_verify``; its ``checks`` are used.
        spec: The spec's name; ``none`` adds a warning that nothing is declared for this node.
    """
    findings = list(verification.get("checks") or [])
    if spec == NO_SPEC:
        findings.append(_undeclared(record["host"]["name"]))
    _replace_stage(record, VERIFY, findings)
    record["host"]["spec"] = spec
    record["hardware"] = finite(hardware)
    probes = hardware.get("probes") or {}
    _replace_durations(
        record, VERIFY, {name: probe.get("seconds") for name, probe in probes.items()}
    )
    _settle(record)


def add_benchmark(record: Record, benchmark: Mapping[str, Any]) -> None:
    """Put in what ``gpulab.core.benchmark`` returned: checks, metrics, durations, raw result.

    Where it returned an earlier training that stands for a new one, ``training`` says which.
    """
    _replace_stage(record, BENCHMARK, benchmark.get("checks") or [])
    raw = benchmark.get("result") or None
    record["benchmark"] = finite(raw) if raw else None
    record["profile"] = str(benchmark.get("profile") or (raw or {}).get("profile") or "")
    _replace_metrics(record, BENCHMARK, benchmark.get("metrics") or [])
    record["training"] = benchmark.get("training") or {
        "run_id": record["run_id"],
        "at": now(),
        "fingerprint": dict(benchmark.get("fingerprint") or {}),
        "measured": benchmark.get("measured"),
    }
    _replace_durations(record, BENCHMARK, benchmark.get("durations_s") or {})
    _settle(record)


def add_stage(
    record: Record,
    stage: str,
    findings: Sequence[Mapping[str, Any]],
    metrics: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Put in what a stage over several nodes (`PAIRS`, `DDP`, `FLEET`) found of this one."""
    _replace_stage(record, stage, findings)
    _replace_metrics(record, stage, metrics)
    _settle(record)


def measured_in(record: Mapping[str, Any], metric: Mapping[str, Any]) -> str:
    """Return the run that measured a metric: the record's, or an earlier training's."""
    if metric["stage"] == BENCHMARK and record["training"]:
        return str(record["training"]["run_id"])
    return str(record["run_id"])


def verdict(findings: Sequence[Mapping[str, Any]]) -> str:
    """Return what the findings on a node amount to, as ``verdict_of``.

    That a node is like the others is no pass of its own: nobody may have looked at any of them.
    """
    return verdict_of(f for f in findings if f.get("stage") != FLEET or f["status"] != PASS)


def save(record: Record, folder: Path) -> Path:
    """Check the record and write it to ``folder``.

    Raises:
        RecordError: it does not fit its schema, or the node's name cannot be a file's.
    """
    name = record["host"]["name"]
    if name in RESERVED:
        msg = f"a node cannot be named {name!r}: {name}.json is the run's own file; rename the node"
        raise RecordError(msg)
    try:
        paths.safe_name(name, "the node's name")
        schema.check(record, "record")
    except (paths.FolderError, schema.SchemaError) as error:
        msg = f"the record of {name} was not written: {error}"
        raise RecordError(msg) from error
    path = folder / f"{name}.json"
    paths.write_json(path, record)
    return path


def load(path: Path) -> Record:
    """Read a record and make sure that it can be believed.

    Raises:
        RecordError: it is no JSON, breaks its schema, is another node's or another run's, or its
            verdict is not the one that its checks give.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{path.name} cannot be read: {error}"
        raise RecordError(msg) from error
    if isinstance(record, dict):
        record = upgrade.to_present(record)
    try:
        schema.check(record, "record")
    except schema.SchemaError as error:
        msg = f"{path.name} does not fit the record's schema: {error}"
        raise RecordError(msg) from error
    name, run_id = record["host"]["name"], record["run_id"]
    if name != path.stem:
        msg = f"{path.name} is the record of {name}"
        raise RecordError(msg)
    if run_id != path.resolve().parent.name:
        msg = f"{path.name} belongs to run {run_id}"
        raise RecordError(msg)
    due = verdict(record["checks"])
    if record["verdict"] != due:
        msg = f"{path.name} says {record['verdict']}, but its checks amount to {due}"
        raise RecordError(msg)
    return dict(record)


def finite(value: Mapping[str, object]) -> dict[str, Any]:
    """Return a plain copy of ``value`` in which NaN and infinities are ``None``, at any depth.

    JSON has neither; a loss that diverged must not cost the record of its node.
    """
    return {str(key): _finite(item) for key, item in value.items()}


def now() -> str:
    """Return the time in UTC as ISO 8601, to the second."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _finite(value: object) -> object:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return finite(value)
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_finite(item) for item in value]
    return str(value)


def _replace_stage(record: Record, stage: str, findings: Sequence[Mapping[str, Any]]) -> None:
    kept = [check for check in record["checks"] if check["stage"] != stage]
    fresh = [{**finite(finding), "stage": stage} for finding in findings]
    record["checks"] = _in_order([*kept, *fresh])
    record["stages"][stage] = verdict_of(fresh)


def _replace_metrics(record: Record, stage: str, metrics: Sequence[Mapping[str, Any]]) -> None:
    kept = [metric for metric in record["metrics"] if metric["stage"] != stage]
    fresh = [{**finite(metric), "stage": stage} for metric in metrics]
    record["metrics"] = _in_order([*kept, *fresh])


def _in_order(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(items, key=lambda item: STAGES.index(item["stage"]))


def _replace_durations(record: Record, stage: str, seconds: Mapping[str, Any]) -> None:
    kept = {k: v for k, v in record["durations_s"].items() if not k.startswith(f"{stage}.")}
    fresh = finite({f"{stage}.{name}": value for name, value in seconds.items()})
    record["durations_s"] = {**kept, **fresh}


def _settle(record: Record) -> None:
    """Bring what follows from the rest of the record up to date."""
    record["verdict"] = verdict(record["checks"])
    record["cohort"] = cohort.of(record["hardware"], record["benchmark"])
    record["created"] = now()


def _undeclared(node: str) -> dict[str, Any]:
    return SPEC_DECLARED.finding(
        "warn",
        parts.node_part(node),
        expected="a hardware spec",
        evidence="no hardware spec is declared",
        action=f"{SPEC_DECLARED.action}: until then only the clock and whether the hardware can be "
        "read are checked",
    )
