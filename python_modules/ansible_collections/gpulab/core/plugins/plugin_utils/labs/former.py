"""Take over what lay in ``state/`` and ``reports/`` before each lab had its folders (2026-11).

Nothing is guessed: what is not clearly of this lab alone is left where it is, and a state that may
be this lab's is refused with what a person can do.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import sqlite3
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, NamedTuple

from ...module_utils.atomic_write import move
from ...module_utils.file_lock import exclusive_lock
from ..admission import admission
from ..history import history
from ..inventory import sources
from ..records import failures, paths, schema
from .lab import Lab

_SUMMARY = "lab.json"
NOBODYS, OURS, ANOTHERS, UNCLEAR = "nobody's", "ours", "another's", "unclear"


class Known(NamedTuple):
    """What a state of before is about.

    Attributes:
        labs: The names of the labs whose runs are in the history.
        seen: The nodes of those runs.
        admitted: The nodes in the file of the admission.
    """

    labs: frozenset[str]
    seen: frozenset[str]
    admitted: frozenset[str]


def whose(known: Known, name: str, nodes: AbstractSet[str]) -> tuple[str, str]:
    """Return whose state it is, seen from a lab, and why that is not clear.

    It is the lab's where every run has its name and every node is its own. It is another's where no
    run has its name, and no node is known but by those runs.

    Args:
        known: What the state is about.
        name: The lab's name.
        nodes: The lab's nodes.
    """
    if not (known.labs or known.seen or known.admitted):
        return NOBODYS, ""
    strangers = (known.seen | known.admitted) - nodes
    if known.labs == {name} and not strangers:
        return OURS, ""
    if name not in known.labs and known.labs and known.admitted <= known.seen:
        return ANOTHERS, ""
    if len(known.labs) > 1:
        told = ", ".join(lab or "one without a name" for lab in sorted(known.labs))
        return UNCLEAR, f"it has runs of several labs ({told})"
    if known.labs == {name}:
        return (
            UNCLEAR,
            f"it knows nodes that this inventory has not ({', '.join(sorted(strangers))})",
        )
    return UNCLEAR, f"no run tells whose {', '.join(sorted(known.admitted - known.seen))} is"


def pending(lab: Lab) -> bool:
    """Return whether a state of before is this lab's and is not taken over yet.

    Raises:
        FolderError: that is not clear; nothing has been changed.
    """
    root = paths.state_root()
    if not _files(root):
        return False
    try:
        verdict, why = whose(_known(root), lab.name, lab.nodes)
    except (OSError, ValueError, sqlite3.Error) as error:
        verdict, why = UNCLEAR, f"it cannot be read: {error}"
    if verdict == OURS and _files(paths.state_dir(lab.folder)):
        verdict, why = (
            UNCLEAR,
            f"{paths.from_here(paths.state_dir(lab.folder))} has a state already",
        )
    if verdict == UNCLEAR:
        raise paths.FolderError(_refusal(lab, root, why))
    return verdict == OURS


def take_state(lab: Lab) -> None:
    """Move the state of before into the lab's folder, where it is clearly this lab's.

    Raises:
        FolderError: it is not clear whose the state is, or somebody else has it open. The state has
            not been changed.
    """
    root = paths.state_root()
    if not pending(lab):
        return
    try:
        with (
            exclusive_lock((root / history.FILE).with_suffix(".lock"), history.BUSY_S),
            exclusive_lock((root / admission.FILE).with_suffix(".lock"), history.BUSY_S),
        ):
            # Another process may have done it while this one waited.
            if pending(lab):
                _take_state(root, paths.state_dir(lab.folder))
    except (OSError, sqlite3.Error) as error:
        msg = f"{root} cannot be taken over ({error}): let other runs of gpulab end, then run again"
        raise paths.FolderError(msg) from error


def take_reports(lab: Lab) -> None:
    """Move the runs of before that are clearly this lab's into its folder.

    They are where their report has the lab's name, and all its nodes are the lab's.
    """
    root, own = paths.reports_root(), paths.reports_dir(lab.folder)
    newest = root / paths.LATEST
    was_newest = newest.readlink().name if newest.is_symlink() else ""
    taken: dict[str, str] = {}
    for file in sorted(root.glob(f"*/{_SUMMARY}")):
        folder = file.parent
        if folder.is_symlink():
            continue
        summary = _summary(file)
        if not summary or summary["lab"] != lab.name:
            continue
        if (
            not {node["name"] for node in summary["nodes"]} <= lab.nodes
            or (own / folder.name).exists()
        ):
            continue
        own.mkdir(exist_ok=True)
        # Another process may have been faster.
        with contextlib.suppress(FileNotFoundError):
            move(folder, own / folder.name)
            taken[folder.name] = summary["created"]
    if taken and not (own / paths.LATEST).exists():
        last = was_newest if was_newest in taken else max(taken, key=taken.__getitem__)
        paths.point_latest(own / last)


def _take_state(root: Path, own: Path) -> None:
    own.mkdir(parents=True, exist_ok=True)
    file = root / history.FILE
    with contextlib.closing(sqlite3.connect(file, timeout=history.BUSY_S)) as connection:
        # All of it in one file, which is refused while anybody else has it open.
        connection.execute("PRAGMA journal_mode = DELETE")
    # The history goes last: until then it says whose all of it is.
    if (root / admission.FILE).exists():
        move(root / admission.FILE, own / admission.FILE)
    move(file, own / history.FILE)
    with contextlib.closing(sqlite3.connect(own / history.FILE)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def _summary(file: Path) -> dict[str, Any]:
    try:
        summary = json.loads(file.read_text(encoding="utf-8"))
        schema.check(summary, "lab")
    except (OSError, ValueError):
        return {}
    return dict(summary)


def _files(folder: Path) -> list[Path]:
    return [folder / name for name in (history.FILE, admission.FILE) if (folder / name).exists()]


def _known(root: Path) -> Known:
    labs, seen = set(), set()
    file = root / history.FILE
    if file.exists():
        with contextlib.closing(sqlite3.connect(file, timeout=history.BUSY_S)) as connection:
            # A file that nothing was written into yet has no tables.
            if connection.execute("PRAGMA user_version").fetchone()[0]:
                labs = {row[0] for row in connection.execute("SELECT DISTINCT lab FROM runs")}
                seen = {row[0] for row in connection.execute("SELECT DISTINCT node FROM node_runs")}
    file = root / admission.FILE
    admitted = set()
    if file.exists():
        state = json.loads(file.read_text(encoding="utf-8"))
        schema.check(state, "admission")
        admitted = set(state["nodes"])
    return Known(frozenset(labs), frozenset(seen), frozenset(admitted))


def _refusal(lab: Lab, root: Path, why: str) -> str:
    here = [
        path
        for path in sorted(root.iterdir())
        if path.name.startswith((history.FILE, admission.FILE))
    ]

    def move(to: str) -> str:
        folder = paths.from_here(root) / to
        files = shlex.join(str(paths.from_here(path)) for path in here)
        return f"mkdir -p {shlex.quote(str(folder))} && mv -n {files} {shlex.quote(str(folder))}/"

    rebuild = failures.rerun_command("playbooks/history.yml", "", sources.named(), [])
    return (
        f"{paths.from_here(root)} holds the past of a lab from before each lab had a folder there, "
        f"and it is not clear whether it is that of lab {lab.name!r}: {why}. Nothing was changed. "
        f"-> if all of it is this lab's: {move(lab.folder)} ; if not, put it aside: "
        f"{move('former')} , write the history again from the reports ({rebuild} -e rebuild=true) "
        "and verify all nodes; quarantines by hand stand in the former admission.json "
        "(docs/state.md)"
    )
