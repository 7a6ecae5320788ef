"""Apply a change, confirm it, undo it. Whoever calls these holds the lock."""

from __future__ import annotations

import os
import shlex
import time
from pathlib import Path

from ..process import run_group
from . import disk, units
from .change import Change, Entry
from .store import CONFIRMED, ROLLED_BACK, STUCK, Outcome, Store

#: The part of a change's time that its commands may take; the rest is for the confirmation.
APPLY_SHARE = 0.5
#: A command that puts something back may be refused once by what just stops.
_UNDO_TRIES = 3
_UNDO_PAUSE_S = 1.0
_UNDO_S = 30.0


class ApplyError(RuntimeError):
    """A command, or a file, of a change failed; the text says which, and what it said."""


def now() -> float:
    """Seconds since boot, by a clock that nobody sets and that counts on through a suspension."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def apply(store: Store, change: Change) -> Outcome | None:
    """Put the files in place and run the commands; where one fails, undo everything at once.

    Returns:
        None when the change now waits for its confirmation, else how it ended.
    """
    try:
        _write(change, store.folder(change.subject), persist=False)
        _commands(change.apply, change.timeout_s * APPLY_SHARE)
        # The moment must not be before anything that the commands have done.
        store.arm(change.applied(now()))
    except (OSError, ApplyError) as error:
        return undo(store, change, str(error))
    return None


def confirm(store: Store, change: Change) -> Outcome:
    """Write what stays, and let the change win; where that fails, undo everything at once."""
    try:
        _write(change, store.folder(change.subject), persist=True)
    except OSError as error:
        return undo(store, change, f"it could not be made permanent: {error}")
    outcome = Outcome(change.id, CONFIRMED, at=now())
    store.end(change, outcome)
    units.stop_timer(change.id)
    return outcome


def undo(store: Store, change: Change, reason: str, *, booting: bool = False) -> Outcome:
    """Put back everything that a change found, as far as that can be done.

    Args:
        store: where the change lies.
        change: the change.
        reason: why, for whoever asks later.
        booting: the network has not started yet: nothing of the change runs.
    """
    folder = store.folder(change.subject)
    store.give_up(change)
    errors = [
        *(_restored(entry, folder) for entry in reversed(change.entries)),
        *(_undone(command) for command in (change.boot if booting else change.undo)),
    ]
    disk.remove_parents(change.made)
    found = tuple(error for error in errors if error)
    outcome = Outcome(change.id, STUCK if found else ROLLED_BACK, reason, found, now())
    store.end(change, outcome)
    if not booting:
        units.stop_timer(change.id)
    return outcome


def told(outcome: Outcome, change_folder: Path, by_hand: str) -> str:
    """Say how a change that did not win ended, and what is left to do.

    Args:
        outcome: how it ended.
        change_folder: the change's folder on the node.
        by_hand: the name of the script in it that a person runs.
    """
    if outcome.outcome == ROLLED_BACK:
        return f"{outcome.reason}; the former state is back"
    return (
        f"{outcome.reason}; the former state is NOT wholly back: {'; '.join(outcome.errors)}. On "
        f"the node, run {units.RUNNER} now; if that says the same, {change_folder}/{by_hand} has "
        "it step by step, and a reboot puts the files back before the network starts"
    )


def _write(change: Change, folder: Path, *, persist: bool) -> None:
    """Lay out all new files, then put them in place: a full disk is noticed before the first."""
    entries = [entry for entry in change.entries if entry.persist is persist]
    try:
        for entry in entries:
            disk.make_parents(Path(entry.path))
            disk.prepare(entry, folder)
        for entry in entries:
            disk.install(entry)
    except OSError:
        for entry in entries:
            disk.discard(entry)
        raise


def _commands(commands: tuple[tuple[str, ...], ...], limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    for command in commands:
        error = _failed(command, max(0.1, deadline - time.monotonic()))
        if error:
            raise ApplyError(error)


def _restored(entry: Entry, folder: Path) -> str:
    try:
        disk.restore(entry, folder)
    except OSError as error:
        return f"{entry.path}: {error}"
    return ""


def _undone(command: tuple[str, ...]) -> str:
    error = ""
    for attempt in range(_UNDO_TRIES):
        if attempt:
            time.sleep(_UNDO_PAUSE_S)
        error = _failed(command, _UNDO_S)
        if not error:
            break
    return error


def _failed(command: tuple[str, ...], limit_s: float) -> str:
    """Run a command; return why it failed, or ""."""
    outcome = run_group(list(command), {**os.environ, "LC_ALL": "C"}, limit_s)
    what = shlex.join(command)
    if outcome.start_error:
        return f"{what}: {outcome.start_error}"
    if outcome.timed_out:
        return f"{what}: it did not end within {limit_s:.0f} s"
    if outcome.returncode != 0:
        said = (outcome.stderr_tail or outcome.stdout).strip()[-600:]
        return f"{what}: exit status {outcome.returncode}: {said or 'it said nothing'}"
    return ""
