"""Read-only view of the kernel's file trees, under a root that tests can replace."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

_PCI_ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")


class ProbeError(Exception):
    """A probe could not read what it exists to read; the message says what and why."""


class Tree:
    """Files below a root: ``/`` on a node, a temporary folder in a test.

    Paths are given relative to the root, without a leading slash (``sys/class/net``). Nothing here
    raises for a file that is absent or refuses to be read: the answer is then ``None`` or empty,
    and the probe decides what that means.
    """

    def __init__(self, root: str = "/") -> None:
        """Remember the root."""
        self._root = Path(root)

    def text(self, path: str) -> str | None:
        """Return a file's text without surrounding blanks and NULs, or None if unreadable."""
        raw = self.data(path)
        return None if raw is None else raw.decode("utf-8", "replace").strip(" \t\r\n\0")

    def data(self, path: str) -> bytes | None:
        """Return a file's bytes, or None if unreadable (many sysfs files answer EINVAL)."""
        try:
            return (self._root / path).read_bytes()
        except (OSError, ValueError):
            return None

    def number(self, path: str) -> int | None:
        """Return the integer in a file (decimal, or hexadecimal with 0x), or None."""
        return parse_int(self.text(path))

    def names(self, path: str) -> list[str]:
        """Return the sorted names in a folder; empty if there is no such folder."""
        try:
            return sorted(entry.name for entry in (self._root / path).iterdir())
        except OSError:
            return []

    def changed(self, path: str) -> float | None:
        """Return when a file's content or place last changed, s since 1970, or None.

        The later of mtime and ctime: a file out of a package has the mtime of the package's build.
        """
        try:
            status = (self._root / path).stat()
        except OSError:
            return None
        return max(status.st_mtime, status.st_ctime)

    def exists(self, path: str) -> bool:
        """Return whether the path, links followed, exists."""
        try:
            return (self._root / path).exists()
        except OSError:
            return False

    def link_name(self, path: str) -> str | None:
        """Return the last component of a link's target (a driver's name), or None."""
        try:
            return (self._root / path).readlink().name
        except OSError:
            return None

    def real(self, path: str) -> str:
        """Return the path with all links resolved, from the root, without a leading slash."""
        root = os.path.realpath(self._root)
        return os.path.relpath(os.path.realpath(self._root / path), root)

    def pci_address(self, path: str) -> str | None:
        """Return the address of the PCI function that the device at the path hangs off, or None.

        The last address on the device's real path is the function itself; those before it are the
        bridges above it.
        """
        found = _PCI_ADDRESS.findall(self.real(path).lower())
        return found[-1] if found else None


def parse_int(text: str | None) -> int | None:
    """Return the integer that the text is, in decimal or 0x hexadecimal, or None."""
    if text is None:
        return None
    try:
        return int(text, 16 if text.lower().startswith("0x") else 10)
    except ValueError:
        return None


def first(values: Iterable[str | None]) -> str | None:
    """Return the first value that is not empty, or None."""
    return next((value for value in values if value), None)
