"""Run a program in a process group of its own, and leave nothing of it behind."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass

# What is kept of the program's output; the rest is read and dropped, so that it never blocks.
STDOUT_LIMIT = 4 * 1024**2
STDERR_LIMIT = 64 * 1024
TAIL_LINES = 20

_POLL_S = 0.1
# After SIGKILL a process is gone at once, unless a driver holds it in the kernel.
_KILL_WAIT_S = 5.0
# A process that left the group may hold the pipes open: its output is not waited for.
_DRAIN_S = 1.0


@dataclass(frozen=True)
class Outcome:
    """How a program ended.

    Attributes:
        returncode: exit status, or minus the signal that ended it; None if it did not start or
            could not be killed.
        timed_out: it was told to end because its time was up.
        unkillable: it was still there after SIGKILL.
        start_error: why it did not start, or ''.
        stdout: what it printed, up to `STDOUT_LIMIT` bytes.
        stderr_tail: its last lines on stderr.
        wall_s: seconds from start to end.
        oom_kills: processes that the kernel killed for memory meanwhile, on the whole machine;
            None if unknown.
    """

    returncode: int | None
    timed_out: bool = False
    unkillable: bool = False
    start_error: str = ""
    stdout: str = ""
    stderr_tail: str = ""
    wall_s: float = 0.0
    oom_kills: int | None = None


def run_group(
    argv: list[str], env: Mapping[str, str], timeout_s: float, grace_s: float = 5.0
) -> Outcome:
    """Run a program; when its time is up, end it and everything in its process group.

    Args:
        argv: program and arguments.
        env: its whole environment.
        timeout_s: seconds until SIGTERM.
        grace_s: further seconds until SIGKILL.
    """
    started = time.monotonic()
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(env),
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        return Outcome(None, start_error=f"{argv[0]}: {error.strerror or error}")
    timed_out, unkillable = False, False
    with _Output(process) as output:
        deadline = started + timeout_s
        while not _has_ended(process.pid):
            output.read_some(_POLL_S)
            now = time.monotonic()
            if now < deadline:
                continue
            if unkillable:
                break
            if timed_out:
                _signal_group(process.pid, signal.SIGKILL)
                unkillable, deadline = True, now + _KILL_WAIT_S
            else:
                _signal_group(process.pid, signal.SIGTERM)
                timed_out, deadline = True, now + grace_s
        else:
            unkillable = False
            # The leader is not reaped yet, so its number can't belong to anybody else's group.
            _signal_group(process.pid, signal.SIGKILL)
        output.drain(_DRAIN_S)
    return Outcome(
        returncode=None if unkillable else process.wait(),
        timed_out=timed_out,
        unkillable=unkillable,
        stdout=output.stdout.decode("utf-8", "replace"),
        stderr_tail=_tail(output.stderr),
        wall_s=time.monotonic() - started,
    )


def call(*argv: str, timeout_s: float) -> tuple[int, str]:
    """Run a tool in the caller's environment: its exit status, and all that it said.

    What does not start, or does not end in `timeout_s` seconds, has exit status 127.
    """
    outcome = run_group(list(argv), os.environ, timeout_s)
    if outcome.start_error:
        return 127, outcome.start_error
    said = f"{outcome.stdout}{outcome.stderr_tail}".strip()
    if outcome.timed_out or outcome.returncode is None:
        return 127, f"{argv[0]} did not end within {timeout_s:g} s: {said[-400:]}"
    return outcome.returncode, said


def _has_ended(pid: int) -> bool:
    """Return whether a child has ended, without reaping it."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


def _tail(stderr: bytes) -> str:
    lines = stderr.decode("utf-8", "replace").splitlines()
    return "\n".join(lines[-TAIL_LINES:])


class _Output:
    """Both pipes of a process, read without blocking and kept up to a limit."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.stdout = b""
        self.stderr = b""
        self._pipes = [pipe for pipe in (process.stdout, process.stderr) if pipe is not None]
        self._selector = selectors.DefaultSelector()
        for pipe, keep in zip(self._pipes, (self._keep_stdout, self._keep_stderr)):
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, selectors.EVENT_READ, keep)

    def __enter__(self) -> _Output:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._selector.close()
        for pipe in self._pipes:
            pipe.close()

    def _keep_stdout(self, data: bytes) -> None:
        self.stdout += data[: STDOUT_LIMIT - len(self.stdout)]

    def _keep_stderr(self, data: bytes) -> None:
        self.stderr = (self.stderr + data)[-STDERR_LIMIT:]

    def read_some(self, timeout_s: float) -> None:
        """Read what is there; wait for it no longer than the time-out."""
        if not self._selector.get_map():
            time.sleep(timeout_s)  # both pipes are closed and the process is not done yet
            return
        for key, _ in self._selector.select(timeout_s):
            data = os.read(key.fd, 65536)
            if data:
                key.data(data)
            else:
                self._selector.unregister(key.fileobj)

    def drain(self, timeout_s: float) -> None:
        """Read to the end of both pipes, or until the time-out."""
        deadline = time.monotonic() + timeout_s
        while self._selector.get_map() and time.monotonic() < deadline:
            self.read_some(_POLL_S)
