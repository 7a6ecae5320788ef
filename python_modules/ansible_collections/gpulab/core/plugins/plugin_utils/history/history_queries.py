"""What the history knows that a new run is held against."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..checks.finding import Check
from . import baselines
from .history import FILE, Moment

# A baseline is made of so many samples at most, the newest. [P]
MOST_SAMPLES = 64
# A part that came back is watched until it was in so many runs without a complaint. [P]
QUIET_RUNS = 3
# Of the part's return itself, which is no fault of the part.
RETURNED = Check(
    id="part.returned",
    title="Parts that come back after a failure",
    source=FILE,
    threshold="a part that failed, was away and is there again warns, until it was there in "
    f"{QUIET_RUNS} runs without a complaint",
    threshold_source="our proposal, to be calibrated",
    severity="warn",
    action="mend the history as the report's first lines say, then make the report again",
)
# What a page shows of a node's past.
MOST_RUNS = 20


class Failure(NamedTuple):
    """How a part failed the last time."""

    run_id: str
    at: str
    node: str
    check_id: str
    told: str


def samples(
    connection: sqlite3.Connection, cohort: str, metric: Mapping[str, Any], before: Moment
) -> list[float]:
    """Return a metric's newest values in runs of the cohort that passed, without outliers."""
    rows = connection.execute(
        "SELECT value FROM metrics JOIN runs USING (run_id) "
        "WHERE cohort = ? AND id = ? AND unit = ? AND passed AND NOT outlier "
        "AND (at, run_id) < (?, ?) ORDER BY at DESC, run_id DESC LIMIT ?",
        (cohort, metric["id"], metric["unit"], *before, MOST_SAMPLES),
    )
    return [row["value"] for row in rows]


def was_outlier(
    connection: sqlite3.Connection,
    node: str,
    cohort: str,
    metric: Mapping[str, Any],
    before: Moment,
) -> bool:
    """Say whether the same part was an outlier when this was measured there the last time.

    A GPU is known by its UUID on whatever node; anything else by its node.
    """
    row = connection.execute(
        "SELECT outlier FROM metrics JOIN runs USING (run_id) "
        "WHERE cohort = ? AND id = ? AND scope = ? AND (scope LIKE 'gpu:%' OR node = ?) "
        "AND (at, run_id) < (?, ?) ORDER BY at DESC, run_id DESC LIMIT 1",
        (cohort, metric["id"], metric["scope"], node, *before),
    ).fetchone()
    return bool(row and row["outlier"])


def returned(
    connection: sqlite3.Connection, part: str, node: str, before: Moment
) -> Failure | None:
    """Return how a part failed that has been away since, or None.

    It was away where it is on another node than it failed on, or where that node was looked at
    without it. After `QUIET_RUNS` runs without a complaint of it there is none any more.

    Args:
        connection: The history.
        part: The part's key.
        node: Where it is now.
        before: This run.
    """
    row = connection.execute(
        "SELECT run_id, at, node, check_id, told FROM findings JOIN runs USING (run_id) "
        "WHERE part = ? AND status = 'fail' AND (at, run_id) < (?, ?) "
        "ORDER BY at DESC, run_id DESC LIMIT 1",
        (part, *before),
    ).fetchone()
    if row is None:
        return None
    failure = Failure(*row)
    failed = (failure.at, failure.run_id)
    gone = connection.execute(
        "SELECT at, run_id FROM node_runs JOIN runs USING (run_id) "
        "WHERE node = ? AND (at, run_id) >= (?, ?) AND (at, run_id) < (?, ?) "
        "AND ' ' || kinds || ' ' LIKE '% ' || ? || ' %' AND NOT EXISTS (SELECT 1 FROM sightings "
        "WHERE sightings.run_id = node_runs.run_id AND sightings.part = ?) "
        "ORDER BY at, run_id LIMIT 1",
        (failure.node, *failed, *before, part.partition(":")[0], part),
    ).fetchone()
    if gone is None and node == failure.node:
        return None
    since = tuple(gone) if gone else failed
    quiet = connection.execute(
        "SELECT count(*) FROM sightings JOIN runs USING (run_id) "
        "WHERE part = ?1 AND (at, run_id) > (?2, ?3) AND (at, run_id) < (?4, ?5) "
        "AND (node <> ?6 OR ?7) AND NOT EXISTS (SELECT 1 FROM findings WHERE "
        "findings.run_id = sightings.run_id AND findings.part = ?1 AND status <> 'pass' "
        "AND check_id <> ?8)",
        (part, *since, *before, failure.node, gone is not None, RETURNED.id),
    ).fetchone()
    return None if quiet[0] >= QUIET_RUNS else failure


def timeline(
    connection: sqlite3.Connection, nodes: Iterable[str], until: Moment
) -> dict[str, list[dict[str, Any]]]:
    """Return the last runs of each node, up to and with one, the oldest first.

    Returns:
        By node: ``run_id``, ``at``, ``verdict``, and ``metrics``, value by id, of what was measured
        there in one place and has a baseline.
    """
    return {node: _runs_of(connection, node, until) for node in nodes}


def _runs_of(connection: sqlite3.Connection, node: str, until: Moment) -> list[dict[str, Any]]:
    rows = connection.execute(
        "SELECT run_id, at, node_runs.verdict FROM node_runs JOIN runs USING (run_id) "
        "WHERE node = ? AND (at, run_id) <= (?, ?) ORDER BY at DESC, run_id DESC LIMIT ?",
        (node, *until, MOST_RUNS),
    ).fetchall()
    return [{**dict(row), "metrics": _metrics_of(connection, node, row["run_id"])} for row in rows][
        ::-1
    ]


def _metrics_of(connection: sqlite3.Connection, node: str, run_id: str) -> dict[str, float]:
    """Return what has one value for the node: measured on all of it, or on one part alone."""
    values: dict[str, dict[str, float]] = {}
    for row in connection.execute(
        "SELECT id, scope, value FROM metrics WHERE node = ? AND run_id = ?", (node, run_id)
    ):
        values.setdefault(row["id"], {})[row["scope"]] = row["value"]
    return {
        name: found["node"] if "node" in found else next(iter(found.values()))
        for name, found in values.items()
        if name in baselines.RULES and ("node" in found or len(found) == 1)
    }
