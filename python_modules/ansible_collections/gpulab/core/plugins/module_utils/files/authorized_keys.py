"""Add public keys to an authorized_keys file: whose other lines are somebody else's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

# sshd(8): options end at the first blank outside quotes, in which \" is a quote.
_OPTIONS = r'(?:[^ \t"\\]|\\"|\\(?!")|"(?:[^"\\]|\\"|\\(?!"))*")+'
# A key starts with the length of its type's name in four bytes: AAAA in base64.
_LINE = re.compile(
    rf"(?!#)(?:({_OPTIONS})[ \t]+)?"
    r"([a-z][a-z0-9@.-]*)[ \t]+(AAAA[0-9A-Za-z+/]+={0,3})(?:[ \t]+(.*))?"
)


class Key(NamedTuple):
    """One line of an authorized_keys file: ``blob`` is the key, all else says what it may do."""

    options: str
    kind: str
    blob: str
    comment: str


def parse(line: str) -> Key | None:
    """Read one line, or give None when it is no key: a comment, a blank line, something broken."""
    found = _LINE.fullmatch(line.strip())
    if found is None:
        return None
    options, kind, blob, comment = found.groups(default="")
    return Key(options, kind, blob, " ".join(comment.split()))


def with_keys(text: str, keys: Sequence[str]) -> str:
    """Add keys to what a file says.

    A key that is there with other options or another comment gets what is declared, in its place.

    Args:
        text: the file as it is, or "".
        keys: one line each, which `parse` can read.

    Returns:
        The file with each of ``keys`` once, and every other line as it was.
    """
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    for key in keys:
        wanted = parse(key)
        places = [at for at, line in enumerate(lines) if wanted and _same(line, wanted)]
        if not places:
            lines.append(key.strip())
            continue
        first, *others = places
        if parse(lines[first]) != wanted:
            lines[first] = key.strip()
        for place in reversed(others):
            del lines[place]
    return "".join(f"{line}\n" for line in lines)


def _same(line: str, key: Key) -> bool:
    found = parse(line)
    return found is not None and found.blob == key.blob
