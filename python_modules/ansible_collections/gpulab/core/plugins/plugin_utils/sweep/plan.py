"""What a capture covers: whether the list of what is read has a path, and in which way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from .snapshot import GROUPS, Group, Tool

# What a pattern may hold: it goes into a shell script as it stands.
_SAFE_PATTERN = re.compile(r"[A-Za-z0-9_.:,+/*?\[\]-]+")
_WILD = re.compile(r"[*?\[]")
# What a text to look for may hold: it goes into a pattern of grep's or sed's.
_SAFE_TEXT = re.compile(r"\^?[A-Za-z0-9_: ]+")
# The name of the second reading, in the place of a group's.
AGAIN = "again"


class PlanError(ValueError):
    """The list of what is read has a pattern that can't be sent to a node."""


@dataclass(frozen=True)
class Cover:
    """How a path is covered.

    Attributes:
        known: Groups that read what it is (whether it exists, where it leads).
        contents: Groups that read what is in it.
        listed: Groups that read the names in it.
    """

    known: frozenset[str] = frozenset()
    contents: frozenset[str] = frozenset()
    listed: frozenset[str] = frozenset()

    def __or__(self, other: Cover) -> Cover:
        """Return what either covers."""
        return Cover(
            self.known | other.known,
            self.contents | other.contents,
            self.listed | other.listed,
        )


@dataclass
class _Level:
    """One level of the paths: below a name, and below a name that matches a pattern."""

    cover: Cover = field(default_factory=Cover)
    names: dict[str, _Level] = field(default_factory=dict)
    wild: dict[str, _Level] = field(default_factory=dict)


class Plan:
    """The list of what is read, made ready to be asked and to be sent."""

    def __init__(self, groups: Sequence[Group] = GROUPS) -> None:
        """Take the groups in.

        Raises:
            PlanError: A pattern has a character that a shell could take for something else.
        """
        self.groups = tuple(groups)
        self._root = _Level()
        self._known: dict[str, Cover] = {}
        for group in self.groups:
            ours = frozenset({group.name})
            for pattern in group.paths:
                self._add(pattern, Cover(known=ours))
            beside = (f"{pattern.rpartition('/')[0]}/{name}" for _, pattern, name in group.beside)
            lined = (pattern for _, pattern in group.lines)
            for pattern in (*group.files, *group.twice, *lined, *beside):
                self._add(pattern, Cover(known=ours, contents=ours))
            _require_plain(group.twice_if or "none")
            for text in (line[0] for line in (*group.lines, *group.beside)):
                _require_text(text)
            for tool in group.tools:
                _check_tool(tool)

    def again(self) -> Plan:
        """Return the plan of the second reading."""
        return Plan([Group(AGAIN, files=tuple(one for each in self.groups for one in each.twice))])

    def _add(self, pattern: str, cover: Cover) -> None:
        _require_plain(pattern)
        level = self._root
        for part in pattern.split("/"):
            above = Cover(known=cover.known)
            if _WILD.search(part):
                above |= Cover(listed=cover.known)
                below = level.wild
            else:
                below = level.names
            level.cover |= above
            level = below.setdefault(part, _Level())
        level.cover |= cover

    def cover(self, path: str) -> Cover:
        """Return how a path below the root is covered; empty where it is not."""
        if path not in self._known:
            levels = [self._root]
            for part in path.split("/"):
                levels = [below for level in levels for below in _below(level, part)]
            found = Cover()
            for level in levels:
                found |= level.cover
            self._known[path] = found
        return self._known[path]


def _require_plain(pattern: str) -> None:
    if not _SAFE_PATTERN.fullmatch(pattern) or pattern.startswith("/"):
        raise PlanError(f"captured.py: {pattern!r} is no plain pattern below the root")


def _require_text(text: str) -> None:
    if not _SAFE_TEXT.fullmatch(text):
        raise PlanError(f"captured.py: {text!r} is no plain text to look for")


def _check_tool(tool: Tool) -> None:
    texts, patterns = list(tool.keep), [*tool.each, *tool.only_if]
    if tool.only_with:
        texts.append(tool.only_with[0])
        patterns.append(tool.only_with[1])
    for text in texts:
        _require_text(text)
    for pattern in patterns:
        _require_plain(pattern)


def _below(level: _Level, part: str) -> list[_Level]:
    found = [level.names[part]] if part in level.names else []
    # A shell's * does not match a leading dot.
    return found + [
        below
        for pattern, below in level.wild.items()
        if fnmatchcase(part, pattern) and (not part.startswith(".") or pattern.startswith("."))
    ]


def with_parents(patterns: Sequence[str]) -> list[str]:
    """Return the patterns and those of all folders above them, shorter ones first."""
    every = {
        "/".join(parts[:depth])
        for parts in (pattern.split("/") for pattern in patterns)
        for depth in range(1, len(parts) + 1)
    }
    return sorted(every, key=lambda pattern: (pattern.count("/"), pattern))
