"""Run probes side by side, each in a process and under a deadline of its own.

Reading a fact can hang for ever: a disk that no longer answers leaves its reader in uninterruptible
sleep, where no signal reaches it and no thread of ours could be given up. So each probe runs in a
forked child that holds none of our open files (one that kept our standard output would keep the SSH
session open with it), and a child that misses its deadline is killed, left behind and reported.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, NoReturn

from .sysfs import ProbeError

_CHUNK = 65536


@dataclass(frozen=True)
class Probe:
    """How to read one section of the facts.

    Attributes:
        read: Returns the section as JSON data; raises ProbeError when it can't be read.
        deadline_s: Seconds after which the section is given up as unknown.
    """

    read: Callable[[], Any]
    deadline_s: float


@dataclass(frozen=True)
class Outcome:
    """What came of one probe: ``value`` (None if unknown), ``reason`` ("" if ok), ``seconds``."""

    value: Any
    reason: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Return whether the probe could read its section."""
        return not self.reason


@dataclass
class _Child:
    pid: int
    pipe: int
    deadline: float
    output: bytes = b""


def run_probes(probes: Mapping[str, Probe]) -> dict[str, Outcome]:
    """Run all probes at once and return their outcomes by name.

    Takes as long as the slowest probe, at most the longest deadline. Never raises for a probe:
    whatever goes wrong in one becomes its ``reason``.
    """
    started = time.monotonic()
    outcomes: dict[str, Outcome] = {}
    children: dict[str, _Child] = {}
    with selectors.DefaultSelector() as selector:
        for name, probe in probes.items():
            try:
                child = _start(probe)
            except OSError as error:
                outcomes[name] = Outcome(None, f"could not start the probe: {error}", 0.0)
                continue
            children[name] = child
            selector.register(child.pipe, selectors.EVENT_READ, name)
        while children:
            now = time.monotonic()
            for name in [name for name, child in children.items() if child.deadline <= now]:
                child = children.pop(name)
                selector.unregister(child.pipe)
                _abandon(child)
                outcomes[name] = Outcome(
                    None, f"no answer within {probes[name].deadline_s:g} s", now - started
                )
            if not children:
                break
            next_deadline = min(child.deadline for child in children.values())
            for key, _ in selector.select(max(0.0, next_deadline - now)):
                child = children[key.data]
                chunk = os.read(child.pipe, _CHUNK)
                if chunk:
                    child.output += chunk
                    continue
                del children[key.data]
                selector.unregister(child.pipe)
                os.close(child.pipe)
                os.waitpid(child.pid, 0)
                value, reason = _decode(child.output)
                outcomes[key.data] = Outcome(value, reason, time.monotonic() - started)
    return {name: outcomes[name] for name in probes}


def _why(error: Exception) -> str:
    """Return why a probe could not read its section, in words."""
    if isinstance(error, ProbeError):
        return str(error) or "no reason given"
    # A fault of ours must cost this section only, and must be seen.
    return f"the probe is faulty: {type(error).__name__}: {error}"


def _start(probe: Probe) -> _Child:
    """Fork a child that runs the probe and writes its answer to a pipe."""
    read_end, write_end = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(read_end)
        os.close(write_end)
        raise
    if pid == 0:
        _be_child(probe.read, write_end)
    os.close(write_end)
    return _Child(pid, read_end, time.monotonic() + probe.deadline_s)


def _be_child(read: Callable[[], Any], pipe: int) -> NoReturn:
    """Run in the child: read, answer, exit."""
    try:
        # A session of its own, so that giving the probe up also ends the tools it started.
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        for entry in list(Path("/proc/self/fd").iterdir()):
            if int(entry.name) not in (0, 1, 2, pipe):
                with contextlib.suppress(OSError):
                    os.close(int(entry.name))
        try:
            answer = json.dumps({"value": read()})
        except Exception as error:
            answer = json.dumps({"reason": _why(error)})
        _write_all(pipe, answer.encode())
    finally:
        # Without the parent's exit handlers and buffers: they are the parent's to run.
        os._exit(0)


def _write_all(pipe: int, data: bytes) -> None:
    while data:
        data = data[os.write(pipe, data) :]


def _decode(output: bytes) -> tuple[Any, str]:
    """Return the value and the reason in a child's answer."""
    try:
        answer = json.loads(output)
    except ValueError:
        return None, "the probe died without an answer"
    reason: str | None = answer.get("reason")
    return (None, reason) if reason else (answer["value"], "")


def _abandon(child: _Child) -> None:
    """Kill a late child and its tools; never wait for it, as it may be unable to die."""
    os.close(child.pipe)
    for kill, target in ((os.killpg, child.pid), (os.kill, child.pid)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(target, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child.pid, os.WNOHANG)
