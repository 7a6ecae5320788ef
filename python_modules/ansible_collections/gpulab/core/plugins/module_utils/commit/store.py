"""Where changes lie on a node while they are under way, and how the last one ended."""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from ..atomic_write import flush
from . import disk
from .change import Change, by_hand, from_plain, to_plain

ROOT = Path("/var/lib/gpulab/commit")
#: A change is under way exactly as long as one of these is there: it waits for its confirmation, or
#: it is being undone. A rename leads from one to the other, because that needs no space.
_CHANGE = "change.json"
_UNDOING = "undoing.json"
_OUTCOME = "outcome.json"
BY_HAND = "by-hand.sh"
CONFIRMED = "confirmed"
ROLLED_BACK = "rolled_back"
#: The former state is not wholly back: the change's folder stays.
STUCK = "stuck"


@dataclass(frozen=True)
class Outcome:
    """How a change ended.

    Attributes:
        id: the change.
        outcome: `CONFIRMED`, `ROLLED_BACK` or `STUCK`.
        reason: why it was rolled back.
        errors: what could not be put back.
        at: when, in seconds since boot.
    """

    id: str
    outcome: str
    reason: str = ""
    errors: tuple[str, ...] = ()
    at: float = 0.0


class Store:
    """The folder with a folder for each subject."""

    def __init__(self, root: Path = ROOT) -> None:
        """Name it; nothing is made yet."""
        self.root = root

    def folder(self, subject: str) -> Path:
        """Name a subject's folder."""
        return self.root / subject

    def under_way(self) -> list[Change]:
        """Read the changes that nobody has confirmed or undone: one, or none.

        Raises:
            ChangeError: one was written by another release.
            OSError: one cannot be read.
        """
        return [
            from_plain(json.loads(file.read_text()))
            for name in (_CHANGE, _UNDOING)
            for file in sorted(self.root.glob(f"*/{name}"))
        ]

    def find(self, change_id: str) -> Change | None:
        """Return the change of that id, if it is under way."""
        return next((one for one in self.under_way() if one.id == change_id), None)

    def waits(self, change: Change) -> bool:
        """Say whether a change under way can still be confirmed: nobody has begun to undo it."""
        return (self.folder(change.subject) / _CHANGE).exists()

    def give_up(self, change: Change) -> None:
        """Let nobody confirm a change any more."""
        folder = self.folder(change.subject)
        with contextlib.suppress(OSError):
            (folder / _CHANGE).replace(folder / _UNDOING)

    def begin(self, subject: str) -> Path:
        """Make the folder of a new change, empty."""
        folder = self.folder(subject)
        self.clear(subject)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        return folder

    def arm(self, change: Change) -> None:
        """Write the change down: from here on it is under way.

        Raises:
            OSError: there is no space for it.
        """
        folder = self.folder(change.subject)
        disk.write(folder / BY_HAND, by_hand(change, str(folder)), 0o700)
        disk.write(folder / _CHANGE, json.dumps(to_plain(change)))

    def end(self, change: Change, outcome: Outcome) -> None:
        """Let a change be over. Removing its record is the moment in which it wins or loses."""
        folder = self.folder(change.subject)
        # A full disk must not keep a change under way.
        with contextlib.suppress(OSError):
            disk.write(folder / _OUTCOME, json.dumps(asdict(outcome)))
        if outcome.outcome == STUCK:
            return
        self._remove_record(folder)
        flush(folder)
        self.clear(change.subject)

    def forget(self, change: Change) -> None:
        """Remove a change that was written down and never begun."""
        self._remove_record(self.folder(change.subject))
        self.clear(change.subject)

    def outcome(self, subject: str) -> Outcome | None:
        """Read how the last change of a subject ended."""
        try:
            plain = json.loads((self.folder(subject) / _OUTCOME).read_text())
            return Outcome(**{**plain, "errors": tuple(plain["errors"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def clear(self, subject: str) -> None:
        """Remove what a change needed, and leave how it ended."""
        folder = self.folder(subject)
        for part in ("stage", "undo", "before"):
            shutil.rmtree(folder / part, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            (folder / BY_HAND).unlink()

    @staticmethod
    def _remove_record(folder: Path) -> None:
        for name in (_CHANGE, _UNDOING):
            with contextlib.suppress(FileNotFoundError):
                (folder / name).unlink()
