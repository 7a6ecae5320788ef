"""The one lock that keeps a change, its confirmation, its timer and other runs apart."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

LOCK = Path("/run/gpulab/commit.lock")
_POLL_S = 0.05


class LockedError(RuntimeError):
    """Somebody else holds the lock; the text says who."""


@contextlib.contextmanager
def held(wait_s: float, *, by_force: bool = False, path: Path = LOCK) -> Iterator[None]:
    """Hold the lock.

    It is the kernel's, so it ends with its holder, however that ends.

    Args:
        wait_s: seconds to wait for the holder.
        by_force: end a holder that takes longer. Only the timer does: it is there for what hangs.
        path: the lock's file.

    Raises:
        LockedError: it was not let go in time.
    """
    path.parent.mkdir(mode=0o755, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _taken(descriptor, wait_s):
            holder = _holder(descriptor)
            if not by_force:
                raise LockedError(f"process {holder or '?'} has been changing this node for long")
            if holder:
                os.kill(holder, signal.SIGKILL)
            if not _taken(descriptor, wait_s):
                raise LockedError(f"process {holder or '?'} cannot be ended")
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()} {_started(os.getpid())}".encode(), 0)
        yield
    finally:
        os.close(descriptor)


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
