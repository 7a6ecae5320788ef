"""Talk to the Python that stays on a node.

Ansible's workers live for one task, so what outlives them is ssh alone: it reads and writes named
pipes in the folder of this run's temporary files, and whichever worker has a task for the node
opens them in turn.
"""

from __future__ import annotations

import hashlib
import os
import select
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ansible import constants

from ...module_utils.engine import resident
from ...module_utils.file_lock import LockedError, exclusive_lock
from ..node_programs import PROGRAMS, source_files
from .payload import Module

# A run that was killed leaves nothing behind on its nodes for longer.
IDLE_S = 60.0
_PROGRAM = "resident-python"
_SOURCE = f"{source_files(_PROGRAM)[PROGRAMS[_PROGRAM]]}\nmain({IDLE_S})\n".encode()
# Nothing follows the program before it greets, so that the buffer holds nothing else.
_BOOT = f"import sys;exec(sys.stdin.buffer.read({len(_SOURCE)}),{{'__name__':'resident'}})"
# One of ssh's own: the node could not be reached.
UNREACHABLE = 255


class GoneError(Exception):
    """The other side went away in the middle."""


class NotReachedError(Exception):
    """ssh could not connect; its message says why."""


@dataclass(frozen=True)
class Output:
    """What a module's process left."""

    status: int
    out: bytes
    err: bytes


def folder() -> Path:
    """Return where this run keeps the pipes to its nodes; Ansible removes it at its end."""
    return Path(constants.DEFAULT_LOCAL_TMP) / "resident"


def boot_command(interpreter: str) -> str:
    """Compose the words that start it.

    Args:
        interpreter: The interpreter behind its environment, as a shell's words.
    """
    return f"{interpreter} -c {shlex.quote(_BOOT)}"


class Resident:
    """One Python on one node, for one user and environment."""

    def __init__(self, folder: Path, key: str) -> None:
        """Name its files.

        Args:
            folder: Where they are; a folder that only this user can read.
            key: What tells it from others; the beginning is the connection's.
        """
        self._folder = folder
        self._requests = folder / f"{key}.requests"
        self._answers = folder / f"{key}.answers"
        self._errors = folder / f"{key}.errors"
        self._busy = folder / f"{key}.busy"
        self._lock = folder / f"{key}.lock"

    def run(self, module: Module, command: list[bytes], wait_s: float) -> Output | None:
        """Run a module there, and start the Python where there is none.

        Args:
            module: From `payload.split`.
            command: ssh's command that starts it.
            wait_s: Seconds that a start may take.

        Returns:
            What it left; None where it was not run, and another way may well succeed.

        Raises:
            NotReachedError: The node can't be reached.
            GoneError: The connection broke while the module ran.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._mine() as mine:
            if not mine:
                return None
            for _ in range(2):
                pipes = self._open() or self._start(command, wait_s)
                if pipes is None:
                    return None
                with pipes:
                    output = self._ask(pipes, module)
                if output is not None:
                    return output
                # It noticed that the node has changed, or had just ended.
                self._forget()
        return None

    def end(self) -> None:
        """Tell it to end, if it is there."""
        with self._mine() as mine:
            pipes = self._open() if mine else None
            if pipes is not None:
                with pipes:
                    pipes.send(resident.QUIT)
            if mine:
                self._forget()

    @contextmanager
    def _mine(self) -> Iterator[bool]:
        """Hold it, unless another worker does."""
        try:
            with exclusive_lock(self._lock, wait_s=0, mode=0o600):
                yield True
        except LockedError:
            yield False

    def _open(self) -> _Pipes | None:
        """Open the pipes of one that is there, and that nobody left in the middle."""
        if self._busy.exists():
            self._forget()
            return None
        try:
            return _Pipes(self._requests, self._answers)
        except OSError:
            self._forget()
            return None

    def _forget(self) -> None:
        for path in (self._requests, self._answers, self._busy):
            path.unlink(missing_ok=True)

    def _start(self, command: list[bytes], wait_s: float) -> _Pipes | None:
        for path in (self._requests, self._answers):
            os.mkfifo(path, 0o600)
        # Also for writing, so that ssh does not see an end while no worker is there. What it writes
        # while none is there is nobody's any more, and ends it.
        requests = os.open(self._requests, os.O_RDWR)
        pipes = _Pipes(self._requests, self._answers)
        answers = os.open(self._answers, os.O_WRONLY)
        try:
            with self._errors.open("wb") as errors:
                process = subprocess.Popen(
                    command, stdin=requests, stdout=answers, stderr=errors, start_new_session=True
                )
        finally:
            os.close(requests)
            os.close(answers)
        try:
            pipes.send(b"", _SOURCE)
            if pipes.greeted(wait_s, lambda: process.poll() is None):
                return pipes
        except (GoneError, OSError):
            pass
        pipes.close()
        self._forget()
        process.terminate()
        if process.wait() == UNREACHABLE:
            raise NotReachedError(self._errors.read_text(errors="replace").strip())
        return None

    def _ask(self, pipes: _Pipes, module: Module) -> Output | None:
        name = hashlib.sha1(module.payload).hexdigest().encode()  # noqa: S324 (a name)
        self._busy.touch()
        started = False
        try:
            pipes.send(resident.RUN, name + module.program)
            kind, content = pipes.receive()
            if kind == resident.WANT_PAYLOAD:
                pipes.send(resident.PAYLOAD, module.payload)
                kind, content = pipes.receive()
            if kind != resident.STARTED:
                return None
            started = True
            kind, content = pipes.receive()
        except (GoneError, OSError):
            if started:
                raise GoneError from None
            return None
        status, length = resident.RESULT.unpack_from(content)
        out = resident.RESULT.size
        self._busy.unlink()
        return Output(status, content[out : out + length], content[out + length :])


class _Pipes:
    """Both pipes, opened by a worker."""

    def __init__(self, requests: Path, answers: Path) -> None:
        # Fails where nobody reads.
        self._requests = os.open(requests, os.O_WRONLY | os.O_NONBLOCK)
        os.set_blocking(self._requests, True)
        self._answers = os.open(answers, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(self._answers, True)

    def __enter__(self) -> _Pipes:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close this end of both."""
        os.close(self._requests)
        os.close(self._answers)

    def send(self, kind: bytes, content: bytes = b"") -> None:
        """Send a frame, or content alone where it is of no kind."""
        head = resident.HEAD.pack(kind, len(content)) if kind else b""
        resident.write_all(self._requests, head + content)

    def greeted(self, wait_s: float, alive: Callable[[], bool]) -> bool:
        """Wait until it listens, and skip what others say before; return whether it does."""
        until = time.monotonic() + wait_s
        said = b""
        while time.monotonic() < until and alive():
            if select.select([self._answers], [], [], 0.05)[0]:
                # No more than the greeting follows before it is asked.
                said += os.read(self._answers, 4096)
                if said.endswith(resident.HELLO):
                    return True
        return False

    def receive(self) -> tuple[bytes, bytes]:
        """Wait for a frame.

        Raises:
            GoneError: The other side has gone.
        """
        try:
            kind, length = resident.HEAD.unpack(
                resident.read_exactly(self._answers, resident.HEAD.size)
            )
            return kind, resident.read_exactly(self._answers, length)
        except SystemExit:
            raise GoneError from None


def end_all(folder: Path, connection: str = "") -> None:
    """End every Python that this run keeps, or those of one connection.

    Args:
        folder: As for `Resident`.
        connection: How their keys begin.
    """
    for lock in folder.glob(f"{connection}*.lock"):
        Resident(folder, lock.name.removesuffix(".lock")).end()
