"""A node's files and tools as the probes see them, out of what was read there before."""

from __future__ import annotations

import copy
import posixpath
from collections.abc import Sequence

from ...module_utils.hardware.nic_counters import PAUSE_S
from ...module_utils.hardware.sysfs import NotCapturedError, Tree
from ...module_utils.hardware.tools import RunTool, ToolResult
from .plan import AGAIN, Plan
from .script import MOST_OUTPUT
from .stream import Capture, Entry

# A chain of links that is longer goes in a circle (the kernel's own limit, MAXSYMLINKS).
_MOST_LINKS = 40


class CapturedTree(Tree):
    """The files of a node that were read; every other one raises `NotCapturedError`.

    An entry is known by its real folder and its name, so that one file has one entry by whatever
    links it was reached.
    """

    def __init__(self, capture: Capture, plan: Plan, limit_s: float) -> None:
        """Sort what was read.

        Args:
            capture: What was read.
            plan: What was to be read.
            limit_s: The time limit it was read under, for the messages.
        """
        super().__init__("/")
        self._plan, self._limit_s = plan, limit_s
        self._late, self._looked = frozenset(capture.late), capture.looked
        self._now = capture.now
        self._entries: dict[str, Entry] = {}
        # Folders come before what is in them, so their links are known.
        for path in sorted(capture.entries, key=lambda path: path.count("/")):
            self._entries[self._place(path)] = capture.entries[path]
        self._contents = {self.real(path): data for path, data in capture.contents.items()}
        self._unreadable = {self.real(path) for path in capture.unreadable}
        self._again = capture.again
        self._names: dict[str, set[str]] = {}
        for path in self._entries:
            folder, _, name = path.rpartition("/")
            self._names.setdefault(folder, set()).add(name)

    def data(self, path: str) -> bytes | None:
        """Return a file's bytes without the last line's end, or None if unreadable."""
        groups = self._plan.cover(path).contents
        self._require(path, groups)
        if groups <= self._late:
            raise NotCapturedError(f"/{path}: no answer within {self._limit_s:g} s")
        entry = self._entry(path)
        if entry is None or entry.target_kind != "f":
            return None
        real = self.real(path)
        return None if real in self._unreadable else self._contents.get(real, b"")

    def names(self, path: str) -> list[str]:
        """Return the sorted names in a folder, of those that were read."""
        self._require(path, self._plan.cover(path).listed)
        return sorted(self._names.get(self.real(path), ()))

    def changed(self, path: str) -> float | None:
        """Return when a file's content or place last changed, s since 1970, or None."""
        self._require(path, self._plan.cover(path).known)
        entry = self._entry(path)
        if entry is None or entry.kind != "l":
            return entry.changed if entry else None
        if entry.target_kind in ("N", "L", "?"):
            return None
        target = self._entries.get(self.real(path))
        if target is None:
            raise NotCapturedError(f"where /{path} leads was not read on the node")
        return target.changed

    def exists(self, path: str) -> bool:
        """Return whether the path, links followed, exists."""
        self._require(path, self._plan.cover(path).known)
        entry = self._entry(path)
        return entry is not None and entry.target_kind not in ("N", "L", "?")

    def link_name(self, path: str) -> str | None:
        """Return the last component of a link's target, or None."""
        self._require(path, self._plan.cover(path).known)
        entry = self._entry(path)
        return posixpath.basename(entry.link) if entry is not None and entry.link else None

    def now(self) -> float:
        """Return the time by the node's clock when the reading began, s since 1970."""
        return self._now

    def later(self, seconds: float) -> Tree:
        """Return the files of the second reading, without waiting: only those were read twice."""
        if seconds > PAUSE_S:
            raise NotCapturedError(f"the second reading came {PAUSE_S:g} s after the first")
        if AGAIN in self._late:
            raise NotCapturedError(f"the second reading: no answer within {self._limit_s:g} s")
        if self._again is None:
            raise NotCapturedError("the node's files were not read a second time")
        later = copy.copy(self)
        later._plan, later._now = self._plan.again(), self._now + PAUSE_S
        later._contents = {self.real(path): data for path, data in self._again.items()}
        return later

    def real(self, path: str) -> str:
        """Return the path with all links that are known resolved, without a leading slash."""
        return self._resolve(path.split("/"), [])

    def _resolve(self, parts: list[str], done: list[str], links: int = 0) -> str:
        """Walk along a path; `done` is the resolved beginning."""
        waiting = list(reversed(parts))
        while waiting:
            part = waiting.pop()
            if part in ("", "."):
                continue
            if part == "..":
                done = done[:-1]
                continue
            entry = self._entries.get("/".join((*done, part)))
            if entry is None or not entry.link or links >= _MOST_LINKS:
                done = [*done, part]
                continue
            links += 1
            if entry.link.startswith("/"):
                done = []
            waiting += reversed(entry.link.split("/"))
        return "/".join(done) or "."

    def _place(self, path: str) -> str:
        """Return a path with the links of the folders above it resolved."""
        folder, _, name = path.rpartition("/")
        return posixpath.join(self.real(folder), name) if folder else name

    def _entry(self, path: str) -> Entry | None:
        return self._entries.get(self._place(path))

    def _require(self, path: str, groups: frozenset[str]) -> None:
        """Raise unless one of the groups reads this, and it was looked for in time."""
        if not groups:
            raise NotCapturedError(
                f"/{path} is not in the list of what a sweep reads (hardware/captured.py)"
            )
        if not self._looked:
            raise NotCapturedError(f"/{path}: no answer within {self._limit_s:g} s")


def captured_tools(capture: Capture, limit_s: float) -> RunTool:
    """Return how to "run" a tool: its answer as it was read on the node.

    A tool that was not run there, or gave no answer, raises NotCapturedError.
    """

    def run(argv: Sequence[str]) -> ToolResult:
        words = tuple(argv)
        if words in capture.too_long:
            most = f"{MOST_OUTPUT // 1024**2} MiB"
            raise NotCapturedError(f"`{' '.join(words)}` said more than the {most} that are read")
        if words not in capture.tools:
            raise NotCapturedError(f"`{' '.join(words)}` was not run on the node")
        answer = capture.tools[words]
        if answer is None:
            raise NotCapturedError(f"{words[0]}: no answer within {limit_s:g} s")
        return answer

    return run
