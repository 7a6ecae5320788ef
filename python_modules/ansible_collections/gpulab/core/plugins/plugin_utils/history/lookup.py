"""What has happened to this part? Answers from the history, as data and as lines to read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from .. import formatting
from ..lines import Line

# More would scroll the newest away.
_MOST_EVENTS = 200
_WIDTH = 140


def answer(connection: sqlite3.Connection, wanted: str) -> dict[str, Any]:
    """Return what the history has on a part or a node.

    Args:
        connection: The history.
        wanted: A GPU's UUID, a serial number, a MAC address, a part's key (``disk:S4EV…``) or a
            node's name, or how one of them begins; upper and lower case are the same. "" for all
            parts with faults.

    Returns:
        ``kind``: ``part`` with ``part``, ``places`` and ``events``; ``node`` with ``node``,
        ``parts``, ``events`` and ``admissions``; ``candidates`` with ``candidates``, where several
        names begin like this; ``nothing``; or ``summary`` with ``faults``.
    """
    if not wanted:
        return {"kind": "summary", "faults": _faults(connection)}
    found = _candidates(connection, wanted.strip())
    if not found:
        return {"kind": "nothing", "wanted": wanted}
    if len(found) > 1:
        return {"kind": "candidates", "wanted": wanted, "candidates": found}
    only = found[0]
    if only["kind"] == "node-name":
        return {"kind": "node", **_about_node(connection, only["key"])}
    return {"kind": "part", **_about_part(connection, only["key"])}


def lines(told: dict[str, Any]) -> list[Line]:
    """Return an answer as lines for a terminal."""
    return list(_LINES[told["kind"]](told))


def _candidates(connection: sqlite3.Connection, wanted: str) -> list[dict[str, str]]:
    """Return the parts and nodes whose name begins like this, or the ones that have just it."""
    parts = connection.execute("SELECT key, kind, name, serial, uuid FROM parts ORDER BY key")
    found = []
    for row in parts:
        names = (row["key"], row["key"].partition(":")[2], row["serial"], row["uuid"])
        found += _matches(wanted, row["kind"], row["key"], row["name"], names)
    for row in connection.execute("SELECT DISTINCT node FROM node_runs ORDER BY node"):
        found += _matches(wanted, "node-name", row["node"], "", (row["node"],))
    exact = [item for item in found if item.pop("exact")]
    return exact or found


def _matches(
    wanted: str, kind: str, key: str, name: str, names: Sequence[str]
) -> list[dict[str, Any]]:
    lowered = [text.lower() for text in names]
    if not any(text.startswith(wanted.lower()) for text in lowered):
        return []
    return [{"kind": kind, "key": key, "name": name, "exact": wanted.lower() in lowered}]


def _about_part(connection: sqlite3.Connection, key: str) -> dict[str, Any]:
    part = dict(connection.execute("SELECT * FROM parts WHERE key = ?", (key,)).fetchone())
    sightings = connection.execute(
        "SELECT at, run_id, node, slot, bdf FROM sightings JOIN runs USING (run_id) "
        "WHERE part = ? ORDER BY at, run_id",
        (key,),
    )
    places: list[dict[str, Any]] = []
    for row in sightings:
        where = {name: row[name] for name in ("node", "slot", "bdf")}
        if places and {name: places[-1][name] for name in where} == where:
            places[-1].update(until=row["at"], runs=places[-1]["runs"] + 1)
        else:
            places.append({**where, "since": row["at"], "until": row["at"], "runs": 1})
    return {"part": part, "places": places, "events": _events(connection, "part", key)}


def _about_node(connection: sqlite3.Connection, node: str) -> dict[str, Any]:
    last = connection.execute(
        "SELECT run_id FROM sightings JOIN runs USING (run_id) WHERE node = ? "
        "ORDER BY at DESC, run_id DESC LIMIT 1",
        (node,),
    ).fetchone()
    fitted = connection.execute(
        "SELECT parts.key, parts.name, slot, bdf FROM sightings JOIN parts ON key = part "
        "WHERE node = ? AND run_id = ? ORDER BY key",
        (node, last["run_id"] if last else ""),
    )
    admissions = connection.execute(
        "SELECT at, state, reason, run_id, actor FROM admissions WHERE node = ? ORDER BY at",
        (node,),
    )
    return {
        "node": node,
        "parts": [dict(row) for row in fitted],
        "events": _events(connection, "node", node),
        "admissions": [dict(row) for row in admissions],
    }


def _events(connection: sqlite3.Connection, column: str, name: str) -> list[dict[str, Any]]:
    """Return the newest findings of a part or node, the oldest first."""
    query = {
        "part": "SELECT at, run_id, node, part, label, check_id, status, told, action "
        "FROM findings JOIN runs USING (run_id) WHERE part = ? "
        "ORDER BY at DESC, run_id DESC LIMIT ?",
        "node": "SELECT at, run_id, node, part, label, check_id, status, told, action "
        "FROM findings JOIN runs USING (run_id) WHERE node = ? "
        "ORDER BY at DESC, run_id DESC LIMIT ?",
    }[column]
    return [dict(row) for row in connection.execute(query, (name, _MOST_EVENTS))][::-1]


def _faults(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Return, for each part that ever failed or warned, how often and how the last time."""
    rows = connection.execute(
        "SELECT part, label, max(at || ' ' || run_id) AS newest, at, node, check_id, status, told, "
        "count(DISTINCT CASE status WHEN 'fail' THEN run_id END) AS failures, "
        "count(DISTINCT node) AS nodes FROM findings JOIN runs USING (run_id) "
        "WHERE part <> '' AND status <> 'pass' GROUP BY part ORDER BY failures DESC, newest DESC"
    )
    return [{key: value for key, value in dict(row).items() if key != "newest"} for row in rows]


def _of_part(told: dict[str, Any]) -> Iterator[Line]:
    part = told["part"]
    yield Line("", " ".join(word for word in (part["key"], part["name"]) if word))
    for place in told["places"]:
        where = ", ".join(
            word for word in (place["slot"] and f"slot {place['slot']}", place["bdf"]) if word
        )
        until = (
            "" if place["since"] == place["until"] else f" to {formatting.minute(place['until'])}"
        )
        runs = f"{place['runs']} run{'' if place['runs'] == 1 else 's'}"
        told_ = f"  on {place['node']}{f' ({where})' if where else ''}"
        yield Line("", f"{told_}: {formatting.minute(place['since'])}{until}, {runs}")
    yield from _event_lines(told["events"], "node")


def _of_node(told: dict[str, Any]) -> Iterator[Line]:
    yield Line("", told["node"])
    for part in told["parts"]:
        where = ", ".join(word for word in (part["slot"], part["bdf"]) if word)
        text = " ".join(
            word for word in (part["key"], part["name"], where and f"({where})") if word
        )
        yield Line("", f"  has {text}")
    for turn in told["admissions"]:
        by = f"by {turn['actor']}" if turn["actor"] else f"by run {turn['run_id']}"
        state = turn["state"].replace("_", " ")
        line = f"  {formatting.minute(turn['at'])}  {state} {by}  {turn['reason']}".rstrip()
        yield Line("", formatting.cut(line, _WIDTH))
    yield from _event_lines(told["events"], "label")


def _event_lines(events: Sequence[dict[str, Any]], column: str) -> Iterator[Line]:
    yield Line(
        "", "  What did not pass, and when it passed again" if events else "  No fault known."
    )
    for event in events:
        line = (
            f"  {formatting.minute(event['at'])}  {event['status'].upper():<8} {event[column]}  "
            f"{event['check_id']}: {event['told']}"
        )
        yield Line(event["status"], formatting.cut(line, _WIDTH))


def _of_candidates(told: dict[str, Any]) -> Iterator[Line]:
    yield Line("", f"Several begin with {told['wanted']!r}; say more of the one that you mean:")
    for item in told["candidates"]:
        name = "node" if item["kind"] == "node-name" else item["name"]
        yield Line("", f"  {item['key']}  {name}".rstrip())


def _of_nothing(told: dict[str, Any]) -> Iterator[Line]:
    yield Line(
        "unknown",
        f"The history knows no part and no node that begins with {told['wanted']!r}. It has what "
        "the lab's reports have seen: -e rebuild=true takes up all of its runs in reports/.",
    )


def _of_all(told: dict[str, Any]) -> Iterator[Line]:
    faults = told["faults"]
    yield Line("", "Parts that failed or warned" if faults else "No part has failed or warned yet.")
    for fault in faults:
        times = f"failed in {fault['failures']} run{'' if fault['failures'] == 1 else 's'}"
        line = (
            f"  {fault['part']}  {times}; "
            f"last {formatting.minute(fault['at'])} on {fault['node']}  "
            f"{fault['check_id']}: {fault['told']}"
        )
        yield Line("fail" if fault["failures"] else "warn", formatting.cut(line, _WIDTH))


_LINES = {
    "part": _of_part,
    "node": _of_node,
    "candidates": _of_candidates,
    "nothing": _of_nothing,
    "summary": _of_all,
}
