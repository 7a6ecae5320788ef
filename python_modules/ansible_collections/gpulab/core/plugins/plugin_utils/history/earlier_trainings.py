"""Earlier trainings of a node that may stand for a new one."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..records import records, runs
from . import baselines

# Says that further GPUs were not trained on: as true of a new training as of the old one.
_UNTRAINED = "benchmark.untrained"
_OUTLIER = f"{baselines.FINDING}."


def last(reports: Path, node: str, valid_h: float, now: datetime.datetime) -> records.Record | None:
    """Return the record of the node's last training, where that may stand for a new one, or None.

    It is None where the last one is older than ``valid_h`` hours, measured an outlier (which has to
    be measured again), did not tell what it depends on or how it ended, or has a record that cannot
    be believed; and where the node failed in the benchmark's stage since, or that cannot be known:
    it may have been lost in the middle of a training.

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
            return record if recent and _can_stand(record) else None
    return None


def is_good(checks: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether a training with these findings of its own may stand for a new one."""
    statuses = {check["id"]: check["status"] for check in checks}
    bad = {name for name, status in statuses.items() if status != "pass"}
    return bool(statuses) and bad <= {_UNTRAINED}


def checks_of(record: records.Record) -> list[dict[str, Any]]:
    """Return what the benchmark's stage found."""
    return [check for check in record["checks"] if check["stage"] == records.BENCHMARK]


def _newest_first(reports: Path, oldest: float) -> list[Path]:
    """Return the folders of runs that wrote something since ``oldest``."""
    changed = {
        folder: folder.stat().st_mtime
        for folder in reports.glob("*/")
        if folder.is_dir() and not folder.is_symlink()
    }
    recent = [folder for folder, time in changed.items() if time > oldest]
    return sorted(recent, key=lambda folder: (changed[folder], folder.name), reverse=True)


def _can_stand(record: records.Record) -> bool:
    # An outlier counts when a second measurement says so as well, so there has to be one.
    outlier = any(
        check["id"].startswith(_OUTLIER) and check["status"] != "pass" for check in record["checks"]
    )
    training = record["training"]
    known = training["fingerprint"] and training["measured"] and record["benchmark"]
    return bool(known) and not outlier
