"""Let runs that share a folder take turns. Standard library only."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_POLL_S = 0.2


@contextmanager
def one_at_a_time(folder: Path, timeout_s: float) -> Iterator[None]:
    """Wait until no other run is in a block like this one for the same folder.

    The folder itself is locked, so nothing is left behind; the kernel takes the lock back when the
    holder ends, however it ends.

    Raises:
        TimeoutError: another run held it for ``timeout_s``; the message says what to do.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    deadline = time.monotonic() + timeout_s
    try:
        while not _lock(descriptor):
            if time.monotonic() > deadline:
                msg = (
                    f"another run has been at work on {folder} for {timeout_s:g} s: "
                    f"`fuser -v {folder}` names it; let it end, then run again"
                )
                raise TimeoutError(msg)
            time.sleep(_POLL_S)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
