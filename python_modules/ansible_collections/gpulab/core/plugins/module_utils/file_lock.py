"""The one way in which processes take turns: the kernel's lock on a file or a folder.

The kernel takes the lock back when its holder ends, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

_POLL_S = 0.05


class LockedError(TimeoutError):
    """Somebody else holds the lock; the text says who, and what to do."""


@contextlib.contextmanager
def exclusive_lock(
    path: Path, wait_s: float, doing: str = "", *, mode: int = 0o666, by_force: bool = False
) -> Iterator[None]:
    """Hold the lock of a path during the ``with`` block.

    A folder that is there is locked itself, and nothing is left behind. Else the path is a file's:
    it is made, with its folder, stays, and names its holder.

    Args:
        path: what is locked.
        wait_s: seconds to wait for another holder.
        doing: what a holder does meanwhile, for the error's text.
        mode: the file's, where it is made; the process' mask applies. Who may read a file may also
            lock it.
        by_force: end a holder that takes longer; a file's only.

    Raises:
        LockedError: another process held it for longer than that.
        OSError: the file cannot be made, or the folder not opened.
    """
    names_holder = not path.is_dir()
    if names_holder:
        path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT if names_holder else os.O_RDONLY | os.O_DIRECTORY
    descriptor = os.open(path, flags | os.O_CLOEXEC, mode)
    try:
        if not _taken(descriptor, wait_s):
            holder = _holder(descriptor) if names_holder else 0
            if not by_force:
                raise LockedError(_refusal(path, holder, wait_s, doing))
            if holder:
                os.kill(holder, signal.SIGKILL)
            if not _taken(descriptor, wait_s):
                raise LockedError(f"process {holder or '?'} holds {path} and cannot be ended")
        if names_holder:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()} {_started(os.getpid())}".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _refusal(path: Path, holder: int, wait_s: float, doing: str) -> str:
    who = f"process {holder}" if holder else "another process"
    which = "" if holder else f"`fuser -v {path}` names it; "
    return (
        f"{who} has been {doing or f'at work on {path}'} for {wait_s:g} s: "
        f"{which}let it end, then run again"
    )


def _taken(descriptor: int, wait_s: float) -> bool:
    deadline = time.monotonic() + wait_s
    while not _taken_now(descriptor):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _taken_now(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> int:
    """Return the process that holds the lock; 0 if it is gone, or another has its number."""
    words = os.pread(descriptor, 64, 0).decode("ascii", "replace").split()
    if len(words) != 2 or not words[0].isdigit():
        return 0
    return int(words[0]) if _started(int(words[0])) == words[1] else 0


def _started(pid: int) -> str:
    """Return a process' start in clock ticks since boot (proc(5), field 22), or ""."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
