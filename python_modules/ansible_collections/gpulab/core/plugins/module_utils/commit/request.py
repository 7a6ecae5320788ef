"""What the module ``gpulab.core.commit`` asks of a node: begin a change, confirm it, give it up."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..atomic_write import flush
from ..files.inspect import look
from ..files.plan import Step, plan
from . import disk, guard, lock, session, units
from .change import Change, ChangeError, Entry, commands_of, files_of
from .store import BY_HAND, CONFIRMED, STUCK, Store

#: Longer than another confirmation, or the saving of a few files, takes on a busy machine.
LOCK_WAIT_S = 20.0
_POLL_S = 0.1


class RequestError(RuntimeError):
    """The node refuses; the text says why and what to do."""


@dataclass(frozen=True)
class Wanted:
    """What a caller asks for, checked and compared with what is there.

    Attributes:
        options: the module's options.
        files: each file that is asked for, with the step that brings it about.
    """

    options: dict[str, Any]
    files: tuple[tuple[dict[str, Any], Step, bool], ...] = ()

    @property
    def differing(self) -> list[tuple[dict[str, Any], Step, bool]]:
        """The files to write or remove: entry, step, whether only at the confirmation."""
        return [one for one in self.files if one[1].action != "keep" or _mode_differs(one[0])]


@dataclass
class Answer:
    """What a confirmation came to.

    Attributes:
        confirmed: the change has won, or can.
        again: ask once more over another connection: this one is too old, or it is too early.
        proved: the connection was seen to be opened after the change.
        text: what to tell.
    """

    confirmed: bool = False
    again: bool = False
    proved: bool = False
    text: str = ""


def compare(options: dict[str, Any]) -> Wanted:
    """Compare what is asked for with what is there.

    Raises:
        ChangeError: an option is not what it must be, or a folder lies where a file must.
    """
    given = {
        False: files_of("files", options["files"]),
        True: files_of("persist", options["persist"]),
    }
    twice = sorted(set(given[False]) & set(given[True]))
    if twice:
        msg = f"files and persist both have {', '.join(twice)}"
        raise ChangeError(msg)
    try:
        files = tuple(
            (entry, plan(entry, look(Path(path))), persist)
            for persist, entries in given.items()
            for path, entry in sorted(entries.items())
        )
    except ValueError as error:
        raise ChangeError(str(error)) from error
    return Wanted(options, files)


def stage(wanted: Wanted, folder: Path) -> None:
    """Lay all new files out below a folder, under their full paths, and the texts of ``undo``.

    Raises:
        OSError: there is no space for them.
    """
    for entry, _, _ in wanted.files:
        if entry.get("content") is not None:
            _put(folder / "stage" / entry["path"].lstrip("/"), entry["content"], entry["mode"])
    for name, text in wanted.options["undo_files"].items():
        if "/" in name:
            msg = f"undo_files: {name!r} is no name of a file"
            raise ChangeError(msg)
        _put(folder / "undo" / name, str(text), 0o600)


def places(folder: Path) -> dict[str, str]:
    """Say what ``{stage}`` and ``{undo}`` stand for."""
    return {"stage": str(folder / "stage"), "undo": str(folder / "undo")}


def begin(store: Store, wanted: Wanted, verify: Callable[[Path], None]) -> Change:
    """Save what is there, arm the timer, and have the change applied once this process ends.

    The order is what makes it safe: first everything that can fail, then the timer, then the record
    by which the timer finds something to undo, and the change itself last.

    Args:
        store: where the change will lie.
        wanted: what `compare` returned; it must be compared again under the lock by the caller.
        verify: raises where the staged files are refused.

    Raises:
        RequestError: nothing was changed; the text says why.
    """
    options = wanted.options
    if not Path(units.RUNNER).is_file() or not units.boot_unit_is_enabled():
        msg = f"{units.RUNNER} and {units.BOOT_UNIT} undo a change: apply the role commit first"
        raise RequestError(msg)
    subject = options["subject"]
    try:
        folder = store.begin(subject)
        stage(wanted, folder)
        verify(folder)
        change = _described(wanted, folder)
        units.start_timer(change.id, change.timeout_s)
    except (OSError, units.UnitError) as error:
        store.clear(subject)
        msg = f"nothing was changed: the way back could not be prepared: {error}"
        raise RequestError(msg) from error
    except (RequestError, ChangeError):
        store.clear(subject)
        raise
    try:
        store.arm(change)
        units.start_apply(change.id, 2 * change.timeout_s, os.getpid())
    except (OSError, units.UnitError) as error:
        units.stop_timer(change.id)
        store.forget(change)
        msg = f"nothing was changed: {error}"
        raise RequestError(msg) from error
    return change


def make_way(store: Store) -> str:
    """Undo what an earlier run has left without a timer; refuse while one is under way.

    Returns:
        What was undone, or "".

    Raises:
        RequestError: another change is under way, or an earlier one cannot be undone.
    """
    said = ""
    for change in store.under_way():
        if units.timer_is_active(change.id):
            msg = (
                f"another change of the {change.subject} ({change.id}) is under way on this node; "
                f"it goes back by itself in {change.left_s(guard.now()):.0f} s unless it is "
                "confirmed: run again after that"
            )
            raise RequestError(msg)
        outcome = guard.undo(store, change, "an earlier run left it without a timer")
        said = (
            f"{change.subject} {change.id}: "
            f"{guard.told(outcome, store.folder(change.subject), BY_HAND)}"
        )
        if outcome.outcome == STUCK:
            raise RequestError(said)
    return said


def confirm(
    store: Store, subject: str, change_id: str, wait_s: float, *, only_look: bool = False
) -> Answer:
    """Confirm a change, if this process belongs to a connection that is newer than it.

    Args:
        store: where the change lies.
        subject: its subject.
        change_id: its id.
        wait_s: seconds to wait while its commands run.
        only_look: leave it waiting for its confirmation.
    """
    deadline = time.monotonic() + wait_s
    while True:
        change = store.find(change_id)
        if change is None or change.applied_at is not None or time.monotonic() > deadline:
            break
        time.sleep(_POLL_S)
    with lock.held(LOCK_WAIT_S):
        change = store.find(change_id)
        if change is None or not store.waits(change):
            return _over(store, subject, change_id)
        if change.applied_at is None:
            return Answer(again=True, text="its commands still run")
        found = session.find(os.getpid())
        if found and not found.is_newer_than(change.applied_at):
            return Answer(
                again=True, text="the connection was opened before the change was applied"
            )
        if only_look:
            return Answer(confirmed=True, proved=found is not None)
        outcome = guard.confirm(store, change)
    if outcome.outcome != CONFIRMED:
        return Answer(text=guard.told(outcome, store.folder(subject), BY_HAND))
    return Answer(confirmed=True, proved=found is not None)


def give_up(store: Store, subject: str, change_id: str, reason: str) -> str:
    """Undo a change before its time is up; return how that ended."""
    with lock.held(LOCK_WAIT_S):
        change = store.find(change_id)
        if change is None:
            return _over(store, subject, change_id).text or "it is confirmed"
        outcome = guard.undo(store, change, reason)
    return guard.told(outcome, store.folder(subject), BY_HAND)


def _over(store: Store, subject: str, change_id: str) -> Answer:
    outcome = store.outcome(subject)
    if outcome is None or outcome.id != change_id:
        return Answer(text=f"this node knows nothing of the change {change_id}")
    if outcome.outcome == CONFIRMED:
        # The answer to an earlier try was lost on the way.
        return Answer(confirmed=True, proved=session.find(os.getpid()) is not None)
    return Answer(text=guard.told(outcome, store.folder(subject), BY_HAND))


def _described(wanted: Wanted, folder: Path) -> Change:
    options = wanted.options
    entries, made = [], []
    for number, (entry, _, persist) in enumerate(wanted.differing):
        path = Path(entry["path"])
        before, before_link, uid, gid = disk.save(path, folder / "before" / str(number))
        kind = "absent" if entry["state"] == "absent" else "link" if "link" in entry else "file"
        made += [parent for parent in disk.missing_parents(path) if parent not in made]
        entries.append(
            Entry(
                path=str(path),
                wanted=kind,
                staged=f"stage{path}" if kind == "file" else "",
                link=entry.get("link", ""),
                mode=entry["mode"],
                persist=persist,
                before=before,
                saved=f"before/{number}" if before == "file" else "",
                before_link=before_link,
                uid=uid,
                gid=gid,
            )
        )
    commands: dict[str, Any] = {
        key: commands_of(key, options[key], places(folder)) for key in ("apply", "undo", "boot")
    }
    return Change(
        id=secrets.token_hex(4),
        subject=options["subject"],
        timeout_s=options["timeout_s"],
        armed_at=guard.now(),
        entries=tuple(entries),
        made=tuple(made),
        **commands,
    )


def _mode_differs(entry: dict[str, Any]) -> bool:
    if "content" not in entry:
        return False
    try:
        mode: int = entry["mode"]
        return Path(entry["path"]).stat().st_mode & 0o7777 != mode
    except OSError:
        return True


def _put(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    flush(path)
