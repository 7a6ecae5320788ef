"""The one lock that keeps a change, its confirmation, its timer and other runs apart."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from ..file_lock import exclusive_lock

LOCK = Path("/run/gpulab/commit.lock")


def held(
    wait_s: float, *, by_force: bool = False, path: Path = LOCK
) -> AbstractContextManager[None]:
    """Hold the lock during a ``with`` block.

    Args:
        wait_s: seconds to wait for the holder.
        by_force: end a holder that takes longer. Only the timer does: it is there for what hangs.
        path: the lock's file.

    Raises:
        LockedError: it was not let go in time.
    """
    # Nobody else may open it: who can, could keep every change away.
    return exclusive_lock(path, wait_s, "changing this node", mode=0o600, by_force=by_force)
