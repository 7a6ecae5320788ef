"""What a guarded change is: the plain record of it that lies on the node while it is under way.

This package runs twice: in the module ``gpulab.core.commit``, and, installed by role ``commit``, as
the program that undoes a change when nobody confirms it. Hence the relative imports, and nothing
but the standard library of Python 3.9.
"""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass, field, replace
from typing import Any

#: The record's form. A node that finds another one under way refuses to touch it.
SCHEMA = 1


@dataclass(frozen=True)
class Entry:
    """One file of a change.

    Attributes:
        path: where it lies.
        wanted: ``file``, ``link`` or ``absent``.
        staged: name of the new content in the change's folder, for ``file``.
        link: what the new link points at.
        mode: permissions of the new file.
        persist: written at the confirmation, not before.
        before: ``file``, ``link`` or ``absent``: what lay there.
        saved: name of the former content in the change's folder, for ``file``.
        before_link: what the former link pointed at.
        uid: owner of the former file.
        gid: group of the former file.
    """

    path: str
    wanted: str
    staged: str = ""
    link: str = ""
    mode: int = 0o644
    persist: bool = False
    before: str = "absent"
    saved: str = ""
    before_link: str = ""
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True)
class Change:
    """One change that is under way.

    Attributes:
        id: names it, its timer and its units.
        subject: ``firewall``, ``network`` or ``ssh``.
        timeout_s: seconds from `armed_at` until the node goes back.
        armed_at: when the timer was started, in seconds since boot.
        applied_at: when the last command of `apply` had ended, in seconds since boot; None before.
        entries: its files.
        made: folders that were made for them, the outermost first.
        apply: commands that put the new files into effect.
        undo: commands that put the former files into effect.
        boot: what is run in place of `undo` before the network of the next boot starts.
    """

    id: str
    subject: str
    timeout_s: int
    armed_at: float
    entries: tuple[Entry, ...] = ()
    made: tuple[str, ...] = ()
    apply: tuple[tuple[str, ...], ...] = ()
    undo: tuple[tuple[str, ...], ...] = ()
    boot: tuple[tuple[str, ...], ...] = ()
    applied_at: float | None = None
    schema: int = field(default=SCHEMA)

    def applied(self, at: float) -> Change:
        """Return the change as it is once its commands have ended."""
        return replace(self, applied_at=at)

    def left_s(self, now: float) -> float:
        """Return the seconds until the node goes back."""
        return max(0.0, self.armed_at + self.timeout_s - now)


class ChangeError(ValueError):
    """A change cannot be made or read; the text names the option and what would be right."""


def to_plain(change: Change) -> dict[str, Any]:
    """Turn a change into what JSON can hold."""
    return asdict(change)


def from_plain(plain: dict[str, Any]) -> Change:
    """Read a change back.

    Raises:
        ChangeError: it was written by another release, or by nobody.
    """
    if plain.get("schema") != SCHEMA:
        msg = f"the change's record has the form {plain.get('schema')!r}, not {SCHEMA}"
        raise ChangeError(msg)
    try:
        lists: dict[str, Any] = {
            key: tuple(tuple(command) for command in plain[key])
            for key in ("apply", "undo", "boot")
        }
        lists["entries"] = tuple(Entry(**entry) for entry in plain["entries"])
        lists["made"] = tuple(plain["made"])
        return Change(**{**plain, **lists})
    except (KeyError, TypeError) as error:
        msg = f"the change's record lacks or misuses {error}"
        raise ChangeError(msg) from error


def commands_of(
    option: str, commands: list[Any], places: dict[str, str]
) -> tuple[tuple[str, ...], ...]:
    """Read an option that is a list of commands, with its folders filled in.

    Args:
        option: its name, for the message.
        commands: each a list of words.
        places: what ``{stage}`` and ``{undo}`` stand for.

    Raises:
        ChangeError: a command is no list of words, or is empty.
    """
    found = []
    for command in commands:
        if not isinstance(command, list) or not command:
            msg = f"{option}: {command!r} is no list of words, such as [nft, --file, x.nft]"
            raise ChangeError(msg)
        found.append(tuple(_filled(str(word), places) for word in command))
    return tuple(found)


def _filled(word: str, places: dict[str, str]) -> str:
    for name, place in places.items():
        word = word.replace(f"{{{name}}}", place)
    return word


def files_of(option: str, files: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Read an option that gives files by path, as entries of ``gpulab.core.files``.

    Returns:
        path → ``path``, ``state`` and one of ``content`` and ``link``, and ``mode`` as a number.

    Raises:
        ChangeError: a file is not described as it must be.
    """
    return {path: _file(f"{option}.{path}", path, body) for path, body in files.items()}


def _file(key: str, path: str, body: object) -> dict[str, Any]:
    if not path.startswith("/") or "/../" in f"{path}/" or path.endswith("/"):
        msg = f"{key}: {path!r} is no absolute path of a file"
        raise ChangeError(msg)
    if body is None:
        return {"path": path, "state": "absent", "mode": 0o644}
    known = {"content", "link", "mode"}
    if not isinstance(body, dict) or not set(body) <= known:
        msg = f"{key}: give content or link, and mode, or null for a file that must not be there"
        raise ChangeError(msg)
    given = [name for name in ("content", "link") if body.get(name) is not None]
    if len(given) != 1:
        msg = f"{key}: give exactly one of content and link"
        raise ChangeError(msg)
    try:
        mode = int(str(body.get("mode", "0644")), 8)
    except ValueError:
        msg = f"{key}: mode {body['mode']!r} is no octal number in quotes, such as '0600'"
        raise ChangeError(msg) from None
    return {"path": path, "state": "present", given[0]: str(body[given[0]]), "mode": mode}


def by_hand(change: Change, folder: str) -> str:
    """Write the script that a person runs at the console when nothing else works.

    Args:
        change: the change.
        folder: its folder.
    """
    lines = ["#!/bin/sh", f"# Puts back what the change {change.id} of the {change.subject} found."]
    lines += [_restore_line(entry, folder) for entry in reversed(change.entries)]
    lines += [shlex.join(command) for command in change.undo]
    return "\n".join(
        [*lines, f"rm -f {shlex.quote(folder)}/change.json {shlex.quote(folder)}/undoing.json", ""]
    )


def _restore_line(entry: Entry, folder: str) -> str:
    path = shlex.quote(entry.path)
    if entry.before == "file":
        return f"cp -a -- {shlex.quote(f'{folder}/{entry.saved}')} {path}"
    if entry.before == "link":
        return f"ln -sfn -- {shlex.quote(entry.before_link)} {path}"
    return f"rm -f -- {path}"
