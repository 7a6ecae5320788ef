"""The one way in which a file takes another's place: whole, or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = False, suffix: str = "") -> Iterator[Path]:
    """Give a free name beside a path; what lies there when the block ends takes the path's place.

    That may be a file, a copy or a link. Where the block fails it is removed, and the path is what
    it was.

    Args:
        path: what is replaced, or made.
        durable: wait until it is on the disk.
        suffix: of the name beside, so that it is always the same and what a power cut left is found
            again; for writers of which there is one at a time. Without it each has its own name.

    Raises:
        OSError: there is no space, or no such folder.
    """
    own = f".{path.name}.{os.urandom(4).hex()}"
    fresh = path.with_name(path.name + suffix if suffix else own)
    remove(fresh)
    try:
        yield fresh
        if durable and not fresh.is_symlink():
            flush(fresh)
        fresh.replace(path)
    except BaseException:
        remove(fresh)
        raise
    if durable:
        flush(path.parent)


def write_text(
    path: Path, text: str, mode: int = 0o666, *, durable: bool = False, suffix: str = ""
) -> None:
    """Write a file so that a reader sees the old content or the new, and nothing between.

    Args:
        path: the file; its folder is there.
        text: the content, written as UTF-8.
        mode: the file's from its beginning; the process' mask applies.
        durable: see `replacing`.
        suffix: see `replacing`.

    Raises:
        OSError: there is no space, or no such folder.
    """
    with replacing(path, durable=durable, suffix=suffix) as fresh:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(fresh, flags, mode), "w", encoding="utf-8") as stream:
            stream.write(text)


def replace_link(path: Path, target: str) -> None:
    """Let a path be a link to a target, whatever file or link it was."""
    with replacing(path) as fresh:
        fresh.symlink_to(target)


def move(path: Path, target: Path) -> None:
    """Move a file or a folder to where nothing is, in one step.

    Raises:
        FileExistsError: something is there.
        OSError: it cannot be moved, as to another file system.
    """
    if target.exists():
        raise FileExistsError(f"{target} is there already")
    path.rename(target)
    flush(target.parent)


def flush(path: Path) -> None:
    """Wait until a file or a folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file or a link where there is one."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
