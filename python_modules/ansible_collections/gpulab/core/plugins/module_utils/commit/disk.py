"""Put files where they belong, whole or not at all, and put former ones back."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from ..atomic_write import flush, remove, replacing, write_text
from .change import Entry

#: What a file is called beside its place until it is whole.
_FRESH = ".gpulab-fresh"


def save(path: Path, to: Path) -> tuple[str, str, int, int]:
    """Copy what lies at ``path``.

    Returns:
        What it is (``file``, ``link`` or ``absent``), where a link points, owner and group.

    Raises:
        OSError: it cannot be read, or there is no space for the copy.
    """
    if path.is_symlink():
        return "link", str(path.readlink()), 0, 0
    try:
        found = path.stat()
    except FileNotFoundError:
        return "absent", "", 0, 0
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, to)
    os.chown(to, found.st_uid, found.st_gid)
    flush(to)
    return "file", "", found.st_uid, found.st_gid


def prepare(entry: Entry, folder: Path) -> None:
    """Lay the new content of a file beside its place, so that only a rename is left.

    Raises:
        OSError: there is no space for it, or the folder is not there.
    """
    fresh = _fresh(entry)
    remove(fresh)
    if entry.wanted == "link":
        fresh.symlink_to(entry.link)
    elif entry.wanted == "file":
        shutil.copyfile(folder / entry.staged, fresh)
        fresh.chmod(entry.mode)
        flush(fresh)


def install(entry: Entry) -> None:
    """Put what `prepare` has laid out in its place."""
    path = Path(entry.path)
    if entry.wanted == "absent":
        remove(path)
    else:
        _fresh(entry).replace(path)
    flush(path.parent)


def discard(entry: Entry) -> None:
    """Remove what `prepare` has laid out and nobody has installed."""
    remove(_fresh(entry))


def restore(entry: Entry, folder: Path) -> None:
    """Put back what lay at a path, with its owner, mode and times.

    Raises:
        OSError: there is no space for it, or the folder is gone.
    """
    path = Path(entry.path)
    if entry.before == "absent":
        discard(entry)
        remove(path)
        if path.parent.is_dir():
            flush(path.parent)
        return
    with replacing(path, durable=True, suffix=_FRESH) as fresh:
        if entry.before == "link":
            fresh.symlink_to(entry.before_link)
        else:
            shutil.copy2(folder / entry.saved, fresh)
            os.chown(fresh, entry.uid, entry.gid)


def write(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file of our own, whole or not at all, and on the disk before this returns."""
    write_text(path, text, mode, durable=True, suffix=_FRESH)


def missing_parents(path: Path) -> list[str]:
    """Name the folders above a path that are not there, the outermost first."""
    return [str(folder) for folder in reversed(path.parents) if not folder.exists()]


def make_parents(path: Path) -> None:
    """Make the folders above a path that are not there, for everybody to read."""
    for folder in map(Path, missing_parents(path)):
        folder.mkdir()
        folder.chmod(0o755)


def remove_parents(made: tuple[str, ...]) -> None:
    """Remove folders that were made, where nothing else has come into them."""
    for folder in reversed(made):
        with contextlib.suppress(OSError):
            Path(folder).rmdir()


def _fresh(entry: Entry) -> Path:
    path = Path(entry.path)
    return path.with_name(path.name + _FRESH)
