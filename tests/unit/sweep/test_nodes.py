"""What becomes of asking a node, whatever happens on the way."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from paramiko import SSHException
from pyinfra.api.exceptions import ConnectError
from pyinfra.connectors.util import CommandOutput, OutputLine

from ansible_collections.gpulab.core.plugins.plugin_utils.sweep import nodes, reading
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep.answer import Answer

TARGET = {
    "host": {"name": "node01", "groups": []},
    "become": False,
    "python": shlex.quote(sys.executable),
}
TIMEOUT_S = 0.5


def nothing(*_: object, **__: object) -> None:
    """Connect at once."""


def failing(error: Exception) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def hanging(*_: object, **__: object) -> None:
    gevent.sleep(60)


def saying(*lines: str, status: bool = True, stream: str = "stdout") -> Callable[..., Any]:
    output = CommandOutput([OutputLine(stream, line) for line in lines])
    return lambda *_, **__: (status, output)


def ask(connect: Callable[..., Any], run: Callable[..., Any], timeout_s: float) -> Answer:
    host = SimpleNamespace(
        connect=connect, run_shell_command=run, connector=SimpleNamespace(client=None)
    )
    return nodes._ask(host, TARGET, timeout_s, reading.standard_input(timeout_s))


@pytest.mark.parametrize(
    ("connect", "reason"),
    [
        (failing(ConnectError("Authentication error (x)")), "Authentication error (x)"),
        (failing(OSError("Network is unreachable")), "Network is unreachable"),
        (failing(EOFError()), "EOFError"),
        (hanging, "no connection within 0.5 s"),
        (failing(TimeoutError()), "no connection within 0.5 s"),
    ],
)
def test_no_connection(connect: Callable[..., Any], reason: str) -> None:
    answer = ask(connect, hanging, TIMEOUT_S)
    assert (answer.hardware, answer.unreachable, answer.reason) == (None, True, reason)
    assert answer.seconds < 10


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (hanging, "connected, but no answer within 0.5 s"),
        (failing(SSHException("Channel closed.")), "Channel closed."),
        (saying("sh: not found", status=False, stream="stderr"), "sh: not found"),
        (saying(status=False), "it said nothing"),
        (saying("Welcome!"), "printed something else: 'Welcome!'"),
        (saying(), "printed nothing"),
        (failing(KeyError("ours")), "the sweep is faulty: KeyError: 'ours'"),
    ],
)
def test_no_answer(run: Callable[..., Any], reason: str) -> None:
    answer = ask(nothing, run, TIMEOUT_S)
    assert (answer.hardware, answer.unreachable) == (None, False)
    assert reason in answer.reason


def test_an_answer() -> None:
    def run(command: object, *, _stdin: str, **_: object) -> tuple[bool, CommandOutput]:
        done = subprocess.run(
            ["sh", "-c", str(command)], input=_stdin, capture_output=True, text=True, check=False
        )
        lines = [OutputLine("stdout", line) for line in done.stdout.splitlines()]
        return done.returncode == 0, CommandOutput(lines)

    answer = ask(nothing, run, 30)
    assert answer.reason == ""
    assert answer.hardware is not None
    assert answer.hardware["kernel"]["release"]
