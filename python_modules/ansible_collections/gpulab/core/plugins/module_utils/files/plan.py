"""Decide what has to happen to a file: the pure half of the module ``gpulab.core.files``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Present:
    """What lies at a path now.

    Attributes:
        kind: ``absent``, ``file``, ``link`` or ``directory``.
        content: the bytes of a file.
        target: what a link points at.
    """

    kind: str
    content: bytes = b""
    target: str = ""


@dataclass(frozen=True)
class Step:
    """One change to one path.

    Attributes:
        action: ``keep`` (at most owner and mode differ), ``write``, ``link`` or ``remove``.
        before: the text that lies there now, for ``--diff``.
        after: the text that will lie there, for ``--diff``.
    """

    action: str
    before: str = ""
    after: str = ""


def _shown(present: Present) -> str:
    if present.kind == "link":
        return f"link to {present.target}\n"
    return present.content.decode(errors="replace")


def problem(entry: dict[str, Any]) -> str | None:
    """Say what is wrong with an entry of ``files``, or None.

    Args:
        entry: one entry, with the keys of the module's ``files`` option.

    Returns:
        A sentence that names the key and the fix, or None.
    """
    path = entry["path"]
    if not path.startswith("/"):
        return f"files: path {path!r} is not absolute"
    given = [key for key in ("content", "link") if entry.get(key) is not None]
    if entry["state"] == "absent" and given:
        return f"files: {path} is absent, so it takes no {given[0]}"
    if entry["state"] == "present" and len(given) != 1:
        return f"files: {path} needs exactly one of content and link"
    validate = entry.get("validate")
    if validate and "%s" not in validate:
        return f"files: validate of {path} needs %s where the new file's name goes: {validate!r}"
    return None


def plan(entry: dict[str, Any], present: Present) -> Step:
    """Compare what is wanted with what is there.

    Args:
        entry: one entry of ``files`` for which `problem` has nothing to say.
        present: what lies at its path.

    Returns:
        The step that brings the path to the wanted state.

    Raises:
        ValueError: a directory lies at the path; it is never replaced.
    """
    if present.kind == "directory":
        msg = f"{entry['path']} is a directory; move it away first"
        raise ValueError(msg)
    before = _shown(present)
    if entry["state"] == "absent":
        return Step("keep") if present.kind == "absent" else Step("remove", before)
    if entry.get("link") is not None:
        same = present.kind == "link" and present.target == entry["link"]
        return Step("keep") if same else Step("link", before, f"link to {entry['link']}\n")
    wanted: str = entry["content"]
    if present.kind == "file" and present.content == wanted.encode():
        return Step("keep")
    return Step("write", before, wanted)
