"""Earlier trainings of a node that may stand for a new one."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from ..records import records, runs
from . import baselines

# Says that further GPUs were not trained on: as true of a new training as of the old one.
_UNTRAINED = "smoke.untrained"
_OUTLIER = f"{baselines.FINDING}."


def passed(
    reports: Path, node: str, valid_h: float, now: datetime.datetime
) -> dict[str, Any] | None:
    """Return the node's last training, as ``gpulab.core.smoke_train`` returned it, or None.

    It is None where the last one did not pass, is older than ``valid_h`` hours, or has a record
    that cannot be believed; and where the node failed in the benchmark's stage since, or that
    cannot be known: it may have been lost in the middle of a training.

    Args:
        reports: The folder of all runs.
        node: The node's name.
        valid_h: Hours; 0 for none.
        now: The time, with its zone.
    """
    oldest = now - datetime.timedelta(hours=valid_h)
    for folder in _newest_first(reports, oldest.timestamp()):
        failures, problems = runs.read_failures(folder)
        lost = any(f["stage"] == records.BENCHMARK and f["host"] == node for f in failures)
        if lost or problems:
            return None
        file = folder / f"{node}.json"
        try:
            record = records.load(file) if file.exists() else None
        except records.RecordError:
            return None
        training = record and record["training"]
        # A run that did not train says nothing new.
        if record and training and training["run_id"] == record["run_id"]:
            recent = datetime.datetime.fromisoformat(training["at"]) > oldest
            return _result(record) if recent and _is_good(record) else None
    return None


def _newest_first(reports: Path, oldest: float) -> list[Path]:
    """Return the folders of runs that wrote something since ``oldest``."""
    changed = {
        folder: folder.stat().st_mtime
        for folder in reports.glob("*/")
        if folder.is_dir() and not folder.is_symlink()
    }
    recent = [folder for folder, time in changed.items() if time > oldest]
    return sorted(recent, key=lambda folder: (changed[folder], folder.name), reverse=True)


def _is_good(record: records.Record) -> bool:
    checks = [check for check in record["checks"] if check["stage"] == records.BENCHMARK]
    bad = {check["id"] for check in checks if check["status"] != "pass"}
    if any(c["id"].startswith(_OUTLIER) and c["status"] != "pass" for c in record["checks"]):
        # An outlier counts when a second measurement says so as well, so there has to be one.
        return False
    return bool(checks and bad <= {_UNTRAINED} and record["training"]["fingerprint"])


def _result(record: records.Record) -> dict[str, Any]:
    prefix = f"{records.BENCHMARK}."
    return {
        "verdict": record["stages"][records.BENCHMARK],
        "profile": record["profile"],
        "checks": _of_benchmark(record["checks"]),
        "metrics": _of_benchmark(record["metrics"]),
        "result": record["smoke"],
        "stderr_tail": "",
        "durations_s": {
            name.removeprefix(prefix): seconds
            for name, seconds in record["durations_s"].items()
            if name.startswith(prefix)
        },
        "training": record["training"],
    }


def _of_benchmark(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what that stage found or measured, as smoke_train returned it."""
    return [
        {key: value for key, value in item.items() if key != "stage"}
        for item in items
        if item["stage"] == records.BENCHMARK
    ]
