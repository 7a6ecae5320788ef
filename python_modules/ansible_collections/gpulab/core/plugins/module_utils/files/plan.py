"""Decide what has to happen to a file: the pure half of the module ``gpulab.core.files``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .authorized_keys import parse, with_keys
from .ini import with_option

# What says what is to lie at a path; an entry has one of them.
_SOURCES = ("content", "link", "public_keys", "ini")


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
        content: the bytes to ``write``.
    """

    action: str
    before: str = ""
    after: str = ""
    content: bytes = b""


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
    given = [key for key in _SOURCES if entry.get(key) is not None]
    if entry["state"] == "absent" and given:
        return f"files: {path} is absent, so it takes no {given[0]}"
    if entry["state"] == "present" and len(given) != 1:
        return f"files: {path} needs exactly one of {', '.join(_SOURCES)}"
    for index, key in enumerate(entry.get("public_keys") or []):
        if "\n" in key.strip() or parse(key) is None:
            return f"files: public_keys[{index}] of {path} is not one public key: {key!r}"
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
        ValueError: a directory lies at the path, which is never replaced; or a link, where lines
            are to be kept.
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
    wanted = _wanted(entry, present)
    if present.kind == "file" and present.content == wanted:
        return Step("keep")
    return Step("write", before, wanted.decode(errors="replace"), wanted)


def _wanted(entry: dict[str, Any], present: Present) -> bytes:
    """Compose the whole file, from what lies there where that is to be kept."""
    if entry.get("content") is not None:
        return str(entry["content"]).encode()
    if present.kind == "link":
        # What it points at may be another's secret, and without it the kept lines would be lost.
        msg = f"{entry['path']} is a link: put a copy of what it points at in its place first"
        raise ValueError(msg)
    text = present.content.decode(errors="surrogateescape")
    if entry.get("public_keys") is not None:
        text = with_keys(text, entry["public_keys"])
    else:
        text = with_option(text, **entry["ini"])
    return text.encode(errors="surrogateescape")
