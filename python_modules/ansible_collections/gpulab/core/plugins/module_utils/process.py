"""The one way in which programs are run: with a time-out, and with what they say in bounds."""

from __future__ import annotations

import contextlib
import enum
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# What is kept of the program's output; the rest is read and dropped, so that it never blocks.
STDOUT_LIMIT = 4 * 1024**2
STDERR_LIMIT = 64 * 1024
TAIL_LINES = 20

_POLL_S = 0.1
# A process is not quite gone when its pipes are: it is looked for this soon, then ever later.
_FIRST_POLL_S = 0.001
# After SIGKILL a process is gone at once, unless a driver holds it in the kernel.
_KILL_WAIT_S = 5.0
# A process that left the group may hold the pipes open: its output is not waited for.
_DRAIN_S = 1.0


class Group(enum.Enum):
    """Where a program runs, and so what ends with it."""

    #: In a session of its own; nothing that it started there is left behind.
    OWN_SESSION = enum.auto()
    #: In a process group of its own, out of Ctrl-C's reach, in the caller's session, so that sudo
    #: knows its terminal. What it started stays: such as a container.
    OWN_GROUP = enum.auto()
    #: In the caller's, which is ended with all its programs by whoever ends the caller.
    CALLERS = enum.auto()


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
    argv: Sequence[str], env: Mapping[str, str], timeout_s: float, grace_s: float = 5.0
) -> Outcome:
    """Run a program; when its time is up, end it and everything in its process group.

    Args:
        argv: program and arguments.
        env: its whole environment.
        timeout_s: seconds until SIGTERM.
        grace_s: further seconds until SIGKILL.
    """
    return run(argv, env, timeout_s, grace_s=grace_s)


def run(
    argv: Sequence[str],
    env: Mapping[str, str],
    timeout_s: float,
    *,
    grace_s: float = 5.0,
    stdin: bytes = b"",
    group: Group = Group.OWN_SESSION,
    keep_all: bool = False,
) -> Outcome:
    """Run a program to its end, or end it when its time is up.

    Args:
        argv: program and arguments.
        env: its whole environment.
        timeout_s: seconds until SIGTERM; may be infinite.
        grace_s: further seconds until SIGKILL.
        stdin: what it can read.
        group: where it runs. In a session of its own it also has ``/`` as its working folder.
        keep_all: keep its output however long it is, rather than `STDOUT_LIMIT` bytes.
    """
    started = time.monotonic()
    try:
        process = _start(argv, env, stdin, group)
    except OSError as error:
        return Outcome(None, start_error=f"{argv[0]}: {error.strerror or error}")
    signal_all = os.kill if group is Group.CALLERS else os.killpg
    timed_out, unkillable = False, False
    with _Output(process, None if keep_all else STDOUT_LIMIT) as output:
        deadline = started + timeout_s
        while not _has_ended(process.pid):
            output.read_some(_POLL_S)
            now = time.monotonic()
            if now < deadline:
                continue
            if unkillable:
                break
            if timed_out:
                _signal(signal_all, process.pid, signal.SIGKILL)
                unkillable, deadline = True, now + _KILL_WAIT_S
            else:
                _signal(signal_all, process.pid, signal.SIGTERM)
                timed_out, deadline = True, now + grace_s
        else:
            unkillable = False
            if group is Group.OWN_SESSION:
                # The leader is not reaped yet, so its number can't belong to anybody else's group.
                _signal(signal_all, process.pid, signal.SIGKILL)
        output.drain(_DRAIN_S)
    return Outcome(
        returncode=None if unkillable else process.wait(),
        timed_out=timed_out,
        unkillable=unkillable,
        stdout=output.stdout.decode("utf-8", "replace"),
        stderr_tail=_tail(output.stderr),
        wall_s=time.monotonic() - started,
    )


def _start(
    argv: Sequence[str], env: Mapping[str, str], stdin: bytes, group: Group
) -> subprocess.Popen[bytes]:
    places: dict[Group, dict[str, Any]] = {
        Group.OWN_SESSION: {"start_new_session": True, "cwd": "/"},
        # Since Python 3.11, which the controller has.
        Group.OWN_GROUP: {"process_group": 0},
        Group.CALLERS: {},
    }
    with contextlib.ExitStack() as stack:
        source: Any = subprocess.DEVNULL
        if stdin:
            # In memory, whole: so nobody has to write while the program writes.
            source = stack.enter_context(os.fdopen(os.memfd_create("stdin"), "r+b"))
            source.write(stdin)
            source.seek(0)
        return subprocess.Popen(
            list(argv),
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(env),
            **places[group],
        )


def call(*argv: str, timeout_s: float) -> tuple[int, str]:
    """Run a tool in the caller's environment: its exit status, and all that it said.

    What does not start, or does not end in `timeout_s` seconds, has exit status 127.
    """
    outcome = run_group(argv, os.environ, timeout_s)
    if outcome.start_error:
        return 127, outcome.start_error
    said = f"{outcome.stdout}{outcome.stderr_tail}".strip()
    if outcome.timed_out or outcome.returncode is None:
        return 127, f"{argv[0]} did not end within {timeout_s:g} s: {said[-400:]}"
    return outcome.returncode, said


def _has_ended(pid: int) -> bool:
    """Return whether a child has ended, without reaping it."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _signal(send: Callable[[int, int], None], pid: int, number: signal.Signals) -> None:
    # What sudo started belongs to root.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        send(pid, number)


def _tail(stderr: bytes) -> str:
    lines = stderr.decode("utf-8", "replace").splitlines()
    return "\n".join(lines[-TAIL_LINES:])


class _Output:
    """Both pipes of a process, read without blocking and kept up to a limit."""

    def __init__(self, process: subprocess.Popen[bytes], stdout_limit: int | None) -> None:
        self.stderr = b""
        self._stdout: list[bytes] = []
        self._room = float("inf") if stdout_limit is None else stdout_limit
        self._pause_s = _FIRST_POLL_S
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

    @property
    def stdout(self) -> bytes:
        """What was kept of the one pipe."""
        return b"".join(self._stdout)

    def _keep_stdout(self, data: bytes) -> None:
        kept = data if self._room >= len(data) else data[: int(self._room)]
        self._stdout.append(kept)
        self._room -= len(kept)

    def _keep_stderr(self, data: bytes) -> None:
        self.stderr = (self.stderr + data)[-STDERR_LIMIT:]

    def read_some(self, timeout_s: float) -> None:
        """Read what is there; wait for it no longer than the time-out."""
        if not self._selector.get_map():
            # Both pipes are closed and the process is not done yet.
            time.sleep(self._pause_s)
            self._pause_s = min(2 * self._pause_s, timeout_s)
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
