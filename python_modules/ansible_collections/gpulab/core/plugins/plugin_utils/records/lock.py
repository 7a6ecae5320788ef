"""A lock between processes, by a file; it is let go when its holder ends, however that is."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path

_POLL_S = 0.05


@contextlib.contextmanager
def held(path: Path, wait_s: float) -> Iterator[None]:
    """Hold the lock during the ``with`` block; its file is made, with its folder, and stays.

    Args:
        path: The lock's file.
        wait_s: How long to wait for another holder, in seconds.

    Raises:
        TimeoutError: another process holds it for longer than that.
        OSError: the file cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + wait_s
    with path.open("w") as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    msg = f"{path} is held by another process"
                    raise TimeoutError(msg) from None
                time.sleep(_POLL_S)
        yield
