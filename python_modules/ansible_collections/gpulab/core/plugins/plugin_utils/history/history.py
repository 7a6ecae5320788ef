"""What happened to every part, over all runs of a lab: SQLite in ``history.sqlite3``.

It is written by the report of each run. Reading the same run again changes nothing, and two runs
may write at once. Runs are ordered by :data:`Moment`, never by when they were written down.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ...module_utils.file_lock import exclusive_lock
from .. import formatting
from ..records import parts, records
from . import baselines, launches

FILE = "history.sqlite3"
# A report's own writing takes less than a second.
BUSY_S = 10.0
# From version to version; PRAGMA user_version counts those that were done. Only ever add to it.
MIGRATIONS: tuple[str, ...] = (
    (Path(__file__).parent / "schema.sql").read_text(encoding="utf-8"),
    # The stage benchmark's checks had the name smoke.
    """UPDATE findings SET check_id = 'benchmark' || substr(check_id, 6)
    WHERE check_id LIKE 'smoke.%';""",
)

# When a run began, UTC, and its id, for runs of the same second.
Moment = tuple[str, str]


class HistoryError(Exception):
    """The history cannot be used; the text says why and what to do."""


@contextlib.contextmanager
def connect(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the history, make it where there is none, and bring an older one up to date.

    Args:
        path: The file, `FILE` in the folder of the lab's state.

    Raises:
        HistoryError: it is no database, is damaged, is locked for longer than `BUSY_S`, or was
            written by a later gpulab. Errors of SQLite inside the ``with`` block become one.
    """
    connection = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        _migrate(connection, path)
        yield connection
    except (sqlite3.Error, OSError) as error:
        raise HistoryError(_why(path, error)) from error
    finally:
        if connection:
            connection.close()


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write all of the block or nothing; other writers wait meanwhile."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def moment_of(
    connection: sqlite3.Connection, run_id: str, found: Mapping[str, records.Record]
) -> Moment:
    """Return when a run was: as first written down, else when its first record was made."""
    row = connection.execute("SELECT at FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    if row:
        return (row["at"], run_id)
    return (min((record["created"] for record in found.values()), default=records.now()), run_id)


def ingest(
    connection: sqlite3.Connection,
    summary: Mapping[str, Any],
    found: Mapping[str, records.Record],
) -> None:
    """Write a run down; what was written of its nodes before is replaced.

    Args:
        connection: From `connect`.
        summary: What :func:`~report.lab_summary.summarise` returned.
        found: The run's records by node.
    """
    fitted = parts.seen(found)
    with transaction(connection):
        moment = moment_of(connection, summary["run_id"], found)
        connection.execute(
            "INSERT INTO runs VALUES (?, ?, ?, ?) ON CONFLICT (run_id) DO UPDATE SET "
            "lab = excluded.lab, verdict = excluded.verdict",
            (moment[1], moment[0], summary["lab"], summary["verdict"]),
        )
        # Before anything of this run is written: what each check said the last time.
        before = _last_statuses(connection, moment)
        for node in summary["nodes"]:
            record = found.get(node["name"])
            _forget(connection, moment[1], node["name"])
            _write_node(connection, moment[1], node, record)
            _write_parts(connection, moment[1], node["name"], fitted.get(node["name"], []))
            if record:
                _write_metrics(connection, record)
                launches.write(connection, record)
        _write_findings(connection, moment, summary, found, fitted, before)


def note_admission(
    connection: sqlite3.Connection, changes: Iterable[tuple[str, Mapping[str, Any]]]
) -> None:
    """Write down who took which node in or out of service, once.

    Args:
        connection: From `connect`.
        changes: Nodes, and their entries in the admission's file.
    """
    with transaction(connection):
        connection.executemany(
            "INSERT OR IGNORE INTO admissions VALUES (?, ?, ?, ?, ?, ?)",
            [
                (node, e["since"], e["state"], e["reason"], e["run_id"], e["actor"])
                for node, e in changes
            ],
        )


def forget_metrics(connection: sqlite3.Connection) -> int:
    """Forget all numbers, for a baseline that starts again; returns how many there were.

    Launches have no baseline, and stay.
    """
    with transaction(connection):
        return connection.execute(
            "DELETE FROM metrics WHERE id NOT IN (?, ?, ?)", launches.STORED
        ).rowcount


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    version = _version(connection)
    if version > len(MIGRATIONS):
        msg = (
            f"{path} has version {version}, written by a later gpulab; this one knows "
            f"{len(MIGRATIONS)}: update gpulab"
        )
        raise HistoryError(msg)
    if version == len(MIGRATIONS):
        return
    # SQLite does not wait its turn for a change of the journal's mode.
    with exclusive_lock(path.with_suffix(".lock"), BUSY_S):
        # Readers see the last whole state while a run is written. The mode stays with the file.
        connection.execute("PRAGMA journal_mode = WAL")
        with transaction(connection):
            # Another one may have done it while this one waited.
            for step in range(_version(connection), len(MIGRATIONS)):
                for statement in _statements(MIGRATIONS[step]):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _statements(script: str) -> Iterator[str]:
    """Split a script; sqlite3's executescript would end the transaction first."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _why(path: Path, error: Exception) -> str:
    busy = isinstance(error, sqlite3.OperationalError) and "locked" in str(error)
    if busy or isinstance(error, TimeoutError):
        return f"{path} is locked by another process: when that has ended, make the report again"
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        return (
            f"{path} cannot be used ({error}): move it away, then write it anew from the reports: "
            "ansible-playbook playbooks/history.yml -e rebuild=true"
        )
    return f"{path} cannot be used ({error}): see whether the folder is yours and has space"


def _forget(connection: sqlite3.Connection, run_id: str, node: str) -> None:
    for table in ("node_runs", "sightings", "findings", "metrics"):
        connection.execute(
            f"DELETE FROM {table} WHERE run_id = ? AND node = ?",  # noqa: S608  names of ours
            (run_id, node),
        )


def _write_node(
    connection: sqlite3.Connection,
    run_id: str,
    node: Mapping[str, Any],
    record: records.Record | None,
) -> None:
    kinds = " ".join(sorted(parts.kinds_read(record))) if record else ""
    connection.execute(
        "INSERT INTO node_runs VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            *(run_id, node["name"], formatting.place(node), node["verdict"], node["reason"]),
            *(node["cohort"], kinds),
        ),
    )


def _write_parts(
    connection: sqlite3.Connection, run_id: str, node: str, fitted: Iterable[parts.Part]
) -> None:
    for part in fitted:
        connection.execute(
            "INSERT INTO parts VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET "
            "name = excluded.name, serial = excluded.serial, uuid = excluded.uuid",
            (part.key, part.kind, part.name, part.serial, part.uuid),
        )
        connection.execute(
            "INSERT INTO sightings VALUES (?, ?, ?, ?, ?)",
            (run_id, node, part.key, part.bdf, part.slot),
        )


def _write_metrics(connection: sqlite3.Connection, record: records.Record) -> None:
    passed = record["verdict"] in ("pass", "warn")
    for metric in record["metrics"]:
        # An earlier training that stands for a new one was written down with its own run.
        if metric["value"] is None or records.measured_in(record, metric) != record["run_id"]:
            continue
        connection.execute(
            "INSERT OR REPLACE INTO metrics VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(record["run_id"], record["host"]["name"], record["cohort"]),
                *(metric["id"], metric["scope"], metric["unit"], metric["value"]),
                *(baselines.is_outlier(metric), passed),
            ),
        )


def _write_findings(
    connection: sqlite3.Connection,
    moment: Moment,
    summary: Mapping[str, Any],
    found: Mapping[str, records.Record],
    fitted: Mapping[str, list[parts.Part]],
    before: Mapping[tuple[str, str], str],
) -> None:
    bad = [(f["node"], finding) for f in summary["faults"] for finding in f["findings"]]
    good = [
        (name, check)
        for name, record in found.items()
        for check in record["checks"]
        if check["status"] == "pass"
    ]
    written: set[tuple[str, str]] = set()
    for node, finding in [*bad, *good]:
        key = parts.key_of(finding["part"], fitted.get(node, []))
        key = key or _once_there(connection, moment, node, finding["part"])
        # Known by the part wherever it is, or else by the node.
        about = (key or f"at {node}", finding["id"])
        known = about in written or before.get(about, "pass") == "pass"
        if finding["status"] == "pass" and known:
            continue
        written.add(about)
        connection.execute(
            "INSERT INTO findings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(moment[1], node, key, formatting.part(finding["part"]), finding["id"]),
                *(
                    finding["status"],
                    finding["severity"],
                    formatting.describe(finding),
                    finding["action"],
                ),
            ),
        )


def _once_there(
    connection: sqlite3.Connection, moment: Moment, node: str, part: Mapping[str, str]
) -> str:
    """Return the key of what was last seen at a part's PCI address, or "".

    A GPU that has fallen off the bus, or that the driver cannot reach, does not tell its name.
    """
    if not part.get("bdf"):
        return ""
    row = connection.execute(
        "SELECT part FROM sightings JOIN runs USING (run_id) JOIN parts ON key = part "
        "WHERE node = ? AND lower(bdf) = lower(?) AND kind = ? AND (at, run_id) < (?, ?) "
        "ORDER BY at DESC, run_id DESC LIMIT 1",
        (node, part["bdf"], part["kind"], *moment),
    ).fetchone()
    return str(row["part"]) if row else ""


def _last_statuses(connection: sqlite3.Connection, moment: Moment) -> dict[tuple[str, str], str]:
    """Return what each check said last of each part (or node) before a run."""
    rows = connection.execute(
        "SELECT CASE part WHEN '' THEN 'at ' || node ELSE part END AS about, check_id, status "
        "FROM findings JOIN runs USING (run_id) WHERE (at, run_id) < (?, ?) "
        "ORDER BY at, run_id",
        moment,
    )
    return {(row["about"], row["check_id"]): row["status"] for row in rows}
