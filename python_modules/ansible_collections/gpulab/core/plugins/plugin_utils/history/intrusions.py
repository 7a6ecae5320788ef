"""What the history knows of opened chassis that nobody has acknowledged."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from .history import Moment

# Stands in what the fleet's finding says, and in no finding of a node's own: a reminder is no new
# opening, and must not outlive the acknowledgement of what it reminds of.
REMINDER = "nobody has acknowledged what the run of"


class Opening(NamedTuple):
    """The first sight of an opened chassis: when its run was, and what it said."""

    at: str
    told: str


def unacknowledged(
    connection: sqlite3.Connection, node: str, check_id: str, acknowledged: str, before: Moment
) -> Opening | None:
    """Return the first opening of a node's chassis that a run saw after a time, or None.

    Args:
        connection: The history.
        node: The node's name.
        check_id: The check that sees it.
        acknowledged: Up to when a person knows of them, ISO 8601, or "".
        before: This run.
    """
    row = connection.execute(
        "SELECT at, told FROM findings JOIN runs USING (run_id) "
        "WHERE node = ? AND check_id = ? AND status = 'fail' AND instr(told, ?) = 0 "
        "AND at > ? AND (at, run_id) < (?, ?) ORDER BY at, run_id LIMIT 1",
        (node, check_id, REMINDER, acknowledged, *before),
    ).fetchone()
    return Opening(*row) if row else None
