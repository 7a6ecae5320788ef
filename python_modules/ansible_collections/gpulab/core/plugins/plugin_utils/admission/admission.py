"""Which nodes are in service: decided by their records, kept in the lab's ``admission.json``.

:func:`decide`, :func:`release` and :func:`quarantine` are pure; the rest reads and writes the file
(``schemas/admission.schema.json``) under a lock.
"""

from __future__ import annotations

import contextlib
import datetime
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ...module_utils.file_lock import exclusive_lock
from ..records import paths, records, schema
from ..records.runs import Run

FILE = "admission.json"
IN_SERVICE, QUARANTINED, UNVERIFIED = "in_service", "quarantined", "unverified"
GOOD = ("pass", "warn")
# A week: a lab that is verified every night, and one whose weekly job runs late by no day. [P]
MAX_AGE_H = 168.0
_LOCK_S = 10.0

Entry = dict[str, Any]
State = dict[str, Any]


class AdmissionError(Exception):
    """The state cannot be used or changed; the text says why and what to do."""


class Evidence(NamedTuple):
    """What a run says of one node.

    Attributes:
        run_id: The run.
        at: When the node was last looked at in it, ISO 8601 in UTC; "" where it was not.
        verdict: Of the node in the lab's summary: pass and warn mean that its record is whole.
        checks: The verdict of what was looked at, though a stage may be missing; "" without any.
        reason: The finding that weighs most.
        verified_at: When its hardware was verified; with `at` its age.
        trained_at: When the training was that its record rests on; "" where none was due.
        stages: The verdict of each stage that looked at it.
    """

    run_id: str
    at: str
    verdict: str
    checks: str
    reason: str
    verified_at: str
    trained_at: str
    stages: Mapping[str, str]


def decide(before: Entry | None, seen: Evidence, max_age_h: float, now: str) -> Entry:
    """Return a node's entry after a run.

    A failure takes a node out. It comes back when a whole record passes whose verification and
    training are both newer than the quarantine, and every stage that failed or could not tell has
    passed since; where a person took it out, only a person brings it back. A run that saw a part
    of a node changes nothing for the better.

    Args:
        before: The node's entry so far, or None.
        seen: What the run says.
        max_age_h: Hours that a passing record counts.
        now: The time, ISO 8601 in UTC.
    """
    entry = dict(before or blank(seen.at or now))
    if seen.at and _time(seen.at) >= _time(entry["evidence_at"]):
        entry["evidence_at"] = seen.at
        entry["owed"] = _owed(entry["owed"], seen.stages)
        by_hand = entry["state"] == QUARANTINED and bool(entry["actor"])
        if seen.verdict == "fail":
            entry["doubted_at"] = seen.at
            if not by_hand:
                entry = _turn(entry, QUARANTINED, seen.at, seen.reason, seen.run_id)
        elif seen.verdict in GOOD and entry["owed"]:
            if not by_hand:
                owed = " and ".join(entry["owed"])
                entry["reason"] = f"its record passes, but {owed} did not, and not again since"
        elif seen.verdict in GOOD:
            entry["passed_at"] = min(filter(None, (seen.verified_at, seen.trained_at)), key=_time)
            entry["passed_run"] = seen.run_id
            if entry["state"] != QUARANTINED or (
                not by_hand and _time(entry["passed_at"]) > _time(entry["since"])
            ):
                entry = _turn(entry, IN_SERVICE, seen.at, "", seen.run_id)
            elif not by_hand:
                entry["reason"] = "its record passes, but its training is older than its quarantine"
        elif seen.checks == "unknown":
            entry["doubted_at"] = seen.at
            if entry["state"] != QUARANTINED:
                entry = _turn(entry, UNVERIFIED, seen.at, seen.reason, seen.run_id)
        elif entry["state"] == UNVERIFIED and not entry["passed_at"]:
            entry["reason"] = seen.reason
    return aged(entry, max_age_h, now)


def _owed(before: Iterable[str], seen: Mapping[str, str]) -> list[str]:
    """Return the stages that did not pass when they last looked at a node.

    A link that failed is not well because a later run, of this node alone, measured no link.
    """
    known = {**dict.fromkeys(before, "fail"), **seen}
    return sorted(stage for stage, verdict in known.items() if verdict not in GOOD)


def aged(entry: Entry, max_age_h: float, now: str) -> Entry:
    """Return the entry with its state as of now: a record that is too old does not count."""
    if entry["state"] != IN_SERVICE:
        return {**entry, "valid_until": ""}
    until = _text(_time(entry["passed_at"]) + datetime.timedelta(hours=max_age_h))
    if _time(until) > _time(now):
        return {**entry, "valid_until": until}
    reason = f"its last passing record, of run {entry['passed_run']}, is older than {max_age_h:g} h"
    return {**_turn(entry, UNVERIFIED, until, reason, entry["run_id"]), "valid_until": ""}


def quarantine(before: Entry | None, reason: str, actor: str, now: str) -> Entry:
    """Return the entry of a node that a person takes out of service."""
    entry = before or blank(now)
    # Also where a run had taken it out: from now on a person has to bring it back.
    return {
        **entry,
        "state": QUARANTINED,
        "since": now,
        "reason": reason,
        "run_id": "",
        "actor": actor,
        "evidence_at": now,
        "valid_until": "",
    }


def release(before: Entry | None, reason: str, actor: str, max_age_h: float, now: str) -> Entry:
    """Return the entry of a node whose quarantine a person lifts.

    It is in service where its last whole record passed and nothing has been against it since, and
    unverified otherwise: a signature replaces no record.

    Raises:
        AdmissionError: it is in no quarantine.
    """
    if not before or before["state"] != QUARANTINED:
        msg = f"it is {(before or {}).get('state', UNVERIFIED)}, not quarantined"
        raise AdmissionError(msg)
    passed = before["passed_at"] and _time(before["passed_at"]) > _time(before["doubted_at"])
    state = IN_SERVICE if passed else UNVERIFIED
    told = f"released: {reason}" if passed else f"released: {reason}; a whole record has to pass"
    entry = {
        **before,
        "state": state,
        "since": now,
        "reason": told,
        "run_id": "",
        "actor": actor,
        "evidence_at": now,
    }
    return aged(entry, max_age_h, now)


def evidence(node: Mapping[str, Any], run: Run) -> Evidence:
    """Return what a run says of a node of its summary."""
    name = node["name"]
    record = run.records.get(name)
    own = [f["time"] for f in run.failures if f["host"] == name and not f["every_host"]]
    times = [*own, *([record["created"]] if record else [])]
    training = (record or {}).get("training") or {}
    return Evidence(
        run_id=run.run_id,
        at=_text(max(map(_time, times))) if times else "",
        verdict=node["verdict"],
        checks=record["verdict"] if record else "",
        reason=node["reason"],
        verified_at=_text(_time(record["created"])) if record else "",
        trained_at=_text(_time(training["at"])) if training else "",
        stages=node["stages"],
    )


def read(path: Path) -> State:
    """Return the state; without a file nothing is known of any node.

    Args:
        path: The file, `FILE` in the folder of the lab's state.

    Raises:
        AdmissionError: the file cannot be read or does not fit its schema. It is left as it is,
            because a quarantine in it must not be forgotten.
    """
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        schema.check(state, "admission")
    except FileNotFoundError:
        return {"schema": 1, "policy": {"max_age_h": MAX_AGE_H}, "nodes": {}}
    except (OSError, ValueError) as error:
        msg = (
            f"{path} cannot be used ({error}): mend it, or move it away and verify all nodes "
            "again; until then none is in service"
        )
        raise AdmissionError(msg) from error
    return dict(state)


def has_to_prove_itself(node: str, path: Path) -> bool:
    """Say whether a run took a node out or left it in doubt, so that no old training counts for it.

    So it is, too, where the state cannot be used: what is in it is not known.
    """
    try:
        entry = read(path)["nodes"].get(node) or blank("")
    except AdmissionError:
        return True
    by_run = entry["state"] == QUARANTINED and not entry["actor"]
    return by_run or bool(entry["owed"])


def requires_speed(path: Path) -> bool:
    """Return whether the last report had the demand that each GPU's speed is judged."""
    try:
        return bool(read(path)["policy"].get("require_speed"))
    except AdmissionError:
        # Nobody is in service then, whatever is demanded.
        return False


def annotate(nodes: Iterable[dict[str, Any]], state: State | None, why: str = "") -> None:
    """Put ``state``, ``state_since`` and ``state_reason`` into the nodes of a summary.

    Args:
        nodes: Changed in place.
        state: The state, or None where it cannot be used; then nobody is known to be in service.
        why: The reason for that.
    """
    nobody = {"state": UNVERIFIED, "since": "", "reason": why}
    for node in nodes:
        entry = state["nodes"].get(node["name"], nobody) if state else nobody
        node["state"] = entry["state"]
        node["state_since"] = entry["since"]
        node["state_reason"] = entry["reason"]


def settle(
    nodes: Iterable[Mapping[str, Any]], run: Run, path: Path, policy: Mapping[str, Any]
) -> tuple[State, list[tuple[str, Entry]]]:
    """Bring the state up to date with a run.

    Args:
        nodes: The summary's nodes.
        run: The run.
        path: The file, as of `read`.
        policy: What the inventory says of it (``lab_admission``); a value that is None stays as
            the last report had it.

    Returns:
        The state, and the entries of the nodes whose state this has changed.

    Raises:
        AdmissionError: the file cannot be used.
    """

    def change(state: State, now: str) -> None:
        state["policy"].update({key: value for key, value in policy.items() if value is not None})
        if not state["policy"].get("require_speed"):
            # An earlier gpulab can read the file of a lab that does not demand it.
            state["policy"].pop("require_speed", None)
        hours = state["policy"]["max_age_h"]
        known = state["nodes"]
        for name in known:
            known[name] = aged(known[name], hours, now)
        for node in nodes:
            name = node["name"]
            known[name] = decide(known.get(name), evidence(node, run), hours, now)

    return update(path, change)


def by_hand(
    node: str,
    reason: str,
    actor: str,
    inventory: Sequence[str],
    path: Path,
    *,
    lift: bool,
    max_age_h: float | None = None,
) -> tuple[State, list[tuple[str, Entry]]]:
    """Take a node out of service, or lift its quarantine; returns what :func:`update` does.

    Args:
        node: The node.
        reason: Why.
        actor: Who does it.
        inventory: The nodes that there are.
        path: The file, as of `read`.
        lift: Lift the quarantine.
        max_age_h: Hours that a passing record counts; None: as the last report had it.

    Raises:
        AdmissionError: there is no such node, it is in no quarantine, or the file cannot be used.
    """

    def change(state: State, now: str) -> None:
        known = state["nodes"]
        if node not in known and node not in inventory:
            msg = f"there is no node {node}: the inventory has {', '.join(inventory) or 'none'}"
            raise AdmissionError(msg)
        hours = max_age_h or state["policy"]["max_age_h"]
        try:
            known[node] = (
                release(known.get(node), reason, actor, hours, now)
                if lift
                else quarantine(known.get(node), reason, actor, now)
            )
        except AdmissionError as error:
            msg = f"{node} is not released: {error}"
            raise AdmissionError(msg) from error

    return update(path, change)


def update(
    path: Path, change: Callable[[State, str], None]
) -> tuple[State, list[tuple[str, Entry]]]:
    """Let ``change`` change the state, given the time; nobody else changes it meanwhile.

    Returns:
        The state, and the entries of the nodes whose state has changed, or who decided it by hand.

    Raises:
        AdmissionError: the file cannot be used, or stays locked.
    """
    with _locked(path):
        state = read(path)
        before = json.dumps(state, sort_keys=True)
        turns = {name: _who(entry) for name, entry in state["nodes"].items()}
        change(state, records.now())
        state["nodes"] = dict(sorted(state["nodes"].items()))
        if json.dumps(state, sort_keys=True) != before:
            schema.check(state, "admission")
            paths.write_json(path, state)
    return state, [(n, e) for n, e in state["nodes"].items() if turns.get(n) != _who(e)]


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other processes from changing the state during the ``with`` block."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(exclusive_lock(path.with_suffix(".lock"), _LOCK_S))
        except TimeoutError as error:
            msg = f"{path} is locked by another process: when it has ended, try again"
            raise AdmissionError(msg) from error
        except OSError as error:
            msg = f"{path.parent} cannot be written to ({error}): see whose it is, and for space"
            raise AdmissionError(msg) from error
        yield


def blank(now: str) -> Entry:
    """Return the entry of a node of which nothing is known since ``now``."""
    return {
        "state": UNVERIFIED,
        "since": now,
        "reason": "no whole record of it has passed yet",
        "run_id": "",
        "actor": "",
        "passed_at": "",
        "passed_run": "",
        "doubted_at": "",
        "owed": [],
        "evidence_at": "",
        "valid_until": "",
    }


def _who(entry: Entry) -> tuple[str, str]:
    return (entry["state"], entry["actor"])


def _turn(entry: Entry, state: str, at: str, reason: str, run_id: str) -> Entry:
    """Return the entry in a state that a run has decided; it is in it since then, if not before."""
    since = entry["since"] if entry["state"] == state else at
    return {
        **entry,
        "state": state,
        "since": since,
        "reason": reason,
        "run_id": run_id,
        "actor": "",
    }


def _time(text: str) -> datetime.datetime:
    """Return a time; "" was before all others."""
    if not text:
        return datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)
    return datetime.datetime.fromisoformat(text)


def _text(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
