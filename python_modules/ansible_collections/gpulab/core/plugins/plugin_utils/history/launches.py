"""How often the benchmark's programs crashed on a node, over its history and not in one run alone.

A launch is a start of one of the benchmark's workers. One run has three or four, so its own crash
rate is nearly always 0: what tells a node that crashes now and then is the rate over many runs.
"""

from __future__ import annotations

import datetime
import sqlite3
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..records import records

# How far back a rate looks, up to and with the run that is told of.
DAYS = 30

CRASH_RATE = f"reliability.crash_rate.{DAYS}d"
RESTARTS = f"reliability.restarts.{DAYS}d"


# In the history's table of metrics: launches, those that failed, and restarts.
STORED = ("launches.attempted", "launches.failed", "launches.restarts")


class Launches(NamedTuple):
    """What was launched: in one run, or in ``runs`` of them.

    Attributes:
        attempted: launches.
        failed: those that crashed, failed or hung.
        restarts: those that followed a failure.
        runs: in which something was launched.
    """

    attempted: int = 0
    failed: int = 0
    restarts: int = 0
    runs: int = 0


def of_record(record: records.Record) -> Launches | None:
    """Return a run's own launches on a node, or None where it launched nothing that is known.

    A benchmark that ended without a document did not get to count: it is one launch, that failed.
    """
    training = record["training"]
    if records.BENCHMARK not in record["stages"] or not training:
        return None
    if training["run_id"] != record["run_id"]:
        return None
    document = record["benchmark"]
    if document is None:
        return Launches(1, 1, 0, 1) if training["measured"] else None
    counts = document.get("reliability")
    found = [_count(counts, key) for key in ("attempted", "failed", "restarts")]
    if None in found or not found[0]:
        return None
    attempted, failed, restarts = (int(number or 0) for number in found)
    return Launches(attempted, failed, restarts, 1)


def write(connection: sqlite3.Connection, record: records.Record) -> None:
    """Write a run's launches on a node down."""
    found = of_record(record)
    if found:
        where = (record["run_id"], record["host"]["name"], record["cohort"])
        connection.executemany(
            "INSERT OR REPLACE INTO metrics VALUES (?, ?, ?, ?, 'node', '', ?, 0, 0)",
            [(*where, name, count) for name, count in zip(STORED, found[:3], strict=True)],
        )


def before(connection: sqlite3.Connection, node: str, moment: tuple[str, str]) -> Launches:
    """Return a node's launches in the `DAYS` before a run, the run itself left out.

    Args:
        connection: The history.
        node: The node's name.
        moment: The run's.
    """
    at = datetime.datetime.fromisoformat(moment[0].replace("Z", "+00:00"))
    since = (at - datetime.timedelta(days=DAYS)).strftime("%Y-%m-%dT%H:%M:%SZ")
    rows = connection.execute(
        "SELECT id, total(value), count(*) FROM metrics JOIN runs USING (run_id) "
        "WHERE node = ? AND id IN (?, ?, ?) AND at >= ? AND (at, run_id) < (?, ?) GROUP BY id",
        (node, *STORED, since, *moment),
    )
    totals = {name: (int(total), int(runs)) for name, total, runs in rows}
    attempted, failed, restarts = (totals.get(name, (0, 0)) for name in STORED)
    return Launches(attempted[0], failed[0], restarts[0], attempted[1])


def metrics(record: records.Record, past: Launches | None) -> list[dict[str, Any]]:
    """Return the rates up to and with a record's run; [] where nothing was ever launched.

    Args:
        record: Of the node.
        past: What `before` returned; None where the history cannot be read. Then the rates are not
            known, and null: those of one run would be taken for them.
    """
    own = of_record(record) or Launches()
    if past is None:
        return [_metric(CRASH_RATE, None, 0), _metric(RESTARTS, None, 0)] if own.runs else []
    total = Launches(*(mine + theirs for mine, theirs in zip(own, past, strict=True)))
    if not total.attempted:
        return []
    return [
        _metric(CRASH_RATE, total.failed / total.attempted, total.attempted),
        _metric(RESTARTS, total.restarts, total.runs),
    ]


def _metric(name: str, value: float | None, n: int) -> dict[str, Any]:
    blank = dict.fromkeys(("p50", "p95", "p99", "baseline", "z"))
    return {"id": name, "scope": "node", "value": value, "unit": "", "n": n, **blank}


def _count(counts: object, key: str) -> int | None:
    value = counts.get(key) if isinstance(counts, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
