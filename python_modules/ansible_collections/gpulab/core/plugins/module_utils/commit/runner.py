"""The program ``gpulab-rollback``: what systemd and people call on a node."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from . import guard, lock, units
from .change import ChangeError
from .store import BY_HAND, STUCK, Store

_USAGE = """\
usage: gpulab-rollback status | now
  status  say what is under way, and how the last change of each subject ended;
          exit status 1 as long as one is
  now     put back what was before the change that is under way
(systemd calls it with: boot | expired ID | apply ID PID)
"""
#: The timer waits so long for a confirmation, or for what hangs, before it ends that.
_PATIENCE_S = 5.0
#: A person and a boot may wait for what takes long.
_WAIT_S = 60.0
#: The module's answer reaches the controller before its connection may break.
_ANSWER_S = 1.0
_MODULE_ENDS_S = 10.0


def main(words: list[str], store: Store | None = None) -> int:
    """Do what the words say; return the exit status."""
    store = store or Store()
    verb = words[0] if words else ""
    try:
        if verb == "status" and len(words) == 1:
            return _status(store)
        if verb == "now" and len(words) == 1:
            with lock.held(_WAIT_S, by_force=True):
                return _undo(store, "somebody asked for it on the node")
        if verb == "boot" and len(words) == 1:
            return _boot(store)
        if verb == "expired" and len(words) == 2:
            with lock.held(_PATIENCE_S, by_force=True):
                return _expired(store, words[1])
        if verb == "apply" and len(words) == 3:
            _wait_for_end(int(words[2]))
            with lock.held(_WAIT_S):
                return _apply(store, words[1])
    except (OSError, ChangeError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stderr.write(_USAGE)
    return 2


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _status(store: Store) -> int:
    changes = store.under_way()
    for change in changes:
        left = f"{change.left_s(guard.now()):.0f} s are left"
        by_itself = (
            left if units.timer_is_active(change.id) else "no timer: run gpulab-rollback now"
        )
        _say(f"{change.subject}: change {change.id} waits for its confirmation; {by_itself}")
    if not changes:
        _say("No change is under way.")
    for folder in sorted(store.root.glob("*")):
        outcome = store.outcome(folder.name)
        if outcome:
            _say(f"{folder.name}: {outcome.id} was {outcome.outcome} {outcome.reason}".rstrip())
    return int(bool(changes))


def _undo(store: Store, reason: str, *, booting: bool = False) -> int:
    status = 0
    for change in store.under_way():
        outcome = guard.undo(store, change, reason, booting=booting)
        _say(f"{change.subject}: {guard.told(outcome, store.folder(change.subject), BY_HAND)}")
        status = max(status, int(outcome.outcome == STUCK))
    return status


def _boot(store: Store) -> int:
    with lock.held(_WAIT_S, by_force=True):
        # Started by hand on a running node, the new state runs and has to be undone as well.
        running = any(units.timer_is_active(change.id) for change in store.under_way())
        reason = "the node rebooted before anybody confirmed it"
        return _undo(store, reason, booting=not running)


def _expired(store: Store, change_id: str) -> int:
    change = store.find(change_id)
    if change is None:
        _say(f"{change_id} is over: nothing to do")
        return 0
    return _undo(store, f"nobody confirmed it within {change.timeout_s} s")


def _apply(store: Store, change_id: str) -> int:
    change = store.find(change_id)
    if change is None or change.applied_at is not None:
        _say(f"{change_id} is over: nothing to do")
        return 0
    outcome = guard.apply(store, change)
    if outcome is None:
        return 0
    _say(guard.told(outcome, store.folder(change.subject), BY_HAND))
    return 1


def _wait_for_end(pid: int) -> None:
    """Wait until the module that asked for this has ended, and its answer is on its way."""
    deadline = time.monotonic() + _MODULE_ENDS_S
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(_ANSWER_S)


def run() -> None:
    """Run it as a program."""
    os.umask(0o077)
    sys.exit(main(sys.argv[1:]))
