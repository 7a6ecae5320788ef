"""Earlier trainings of a node that may stand for a new one."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from . import records


def passed(
    reports: Path, node: str, valid_h: float, now: datetime.datetime
) -> dict[str, Any] | None:
    """Return the node's last training, as ``gpulab.core.smoke_train`` returned it, or None.

    It is None where the last one did not pass, is older than ``valid_h`` hours, or has a record
    that cannot be believed: then nothing is known of the node.

    Args:
        reports: The folder of all runs.
        node: The node's name.
        valid_h: Hours; 0 for none.
        now: The time, with its zone.
    """
    oldest = now - datetime.timedelta(hours=valid_h)
    files = {
        file: changed
        for file in reports.glob(f"*/{node}.json")
        if not file.parent.is_symlink() and (changed := file.stat().st_mtime) > oldest.timestamp()
    }
    for file in sorted(files, key=lambda file: files[file], reverse=True):
        try:
            record = records.load(file)
        except records.RecordError:
            return None
        training = record.get("training")
        # A run that did not train says nothing new.
        if training and training["run_id"] == record["run_id"]:
            at = datetime.datetime.fromisoformat(training["at"])
            good = record["stages"].get(records.BENCHMARK) == "pass" and training["fingerprint"]
            return _result(record) if good and at > oldest else None
    return None


def _result(record: records.Record) -> dict[str, Any]:
    checks = [check for check in record["checks"] if check["stage"] == records.BENCHMARK]
    prefix = f"{records.BENCHMARK}."
    return {
        "verdict": "pass",
        "profile": record["profile"],
        "checks": [{k: v for k, v in check.items() if k != "stage"} for check in checks],
        "metrics": record["metrics"],
        "result": record["smoke"],
        "stderr_tail": "",
        "durations_s": {
            name.removeprefix(prefix): seconds
            for name, seconds in record["durations_s"].items()
            if name.startswith(prefix)
        },
        "training": record["training"],
    }
