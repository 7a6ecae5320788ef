"""Start worker processes, and end them with everything that they started. Linux only.

torchrun starts each rank in a session of its own, out of the reach of a signal to its group. So
every worker carries a mark in its environment, which its descendants inherit: what bears the mark
when a worker is ended, is ended with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Callable

# The mark: the supervisor's process id.
MARK = "GPULAB_BENCH_SUPERVISOR"

# torchrun's own account of a rank that failed is some twenty lines long.
TAIL_LINES = 40

# Of prctl(2), linux/prctl.h.
_PR_SET_PDEATHSIG = 1

_POLL_S = 0.02
# After SIGKILL a process is gone at once, unless a driver holds it in the kernel.
_KILL_WAIT_S = 1.0


def die_with_parent() -> None:
    """Be killed when the parent ends, however it ends."""
    # Where the C library lacks it, a supervisor that is killed leaves workers behind: no reason
    # not to measure.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def marked(supervisor: int) -> list[int]:
    """Process ids of the living workers of a supervisor and of their descendants."""
    wanted = f"{MARK}={supervisor}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:  # somebody else's, or it has just ended
            continue
        if wanted in environment.split(b"\0"):
            found.append(int(folder.name))
    return found


def kill_marked(supervisor: int) -> list[int]:
    """Kill the workers of a supervisor and their descendants.

    Returns:
        What is still there a second later: held by a driver.
    """
    deadline = time.monotonic() + _KILL_WAIT_S
    while True:
        left = marked(supervisor)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(_POLL_S)


class Child:
    """A worker in a process group of its own, whose output is passed on line by line."""

    def __init__(
        self, argv: list[str], environment: Mapping[str, str], on_line: Callable[[str], None]
    ) -> None:
        """Start it.

        Args:
            argv: program and arguments.
            environment: its whole environment, to which the mark is added.
            on_line: takes each line that it prints, on whichever stream.

        Raises:
            OSError: it cannot be started.
        """
        self.started = time.monotonic()
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._on_line = on_line
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**environment, MARK: str(os.getpid())},
            start_new_session=True,
            # torchrun, too, must not outlive a supervisor that is killed.
            preexec_fn=die_with_parent,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Its process id, which is its group's as well."""
        return self._process.pid

    def poll(self) -> int | None:
        """Exit status, minus the signal that ended it, or None while it runs."""
        return self._process.poll()

    def tail(self) -> str:
        """Its last lines."""
        return "\n".join(self._tail)

    def end(self, grace_s: float) -> int | None:
        """End it and all that it started: SIGTERM, ``grace_s`` seconds, then SIGKILL.

        Returns:
            Its exit status, or None where not even SIGKILL ended it.
        """
        if self.poll() is None and grace_s > 0:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGTERM)
            self._wait(grace_s)
        kill_marked(os.getpid())
        self._wait(_KILL_WAIT_S)
        self._reader.join(_KILL_WAIT_S)
        return self.poll()

    def _wait(self, seconds: float) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101  a pipe, as asked for above
        for line in self._process.stdout:
            self._tail.append(line.rstrip("\n"))
            self._on_line(line.rstrip("\n"))
