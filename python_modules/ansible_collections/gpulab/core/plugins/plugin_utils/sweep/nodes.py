"""Ask all nodes at once, by pyinfra."""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gevent
from paramiko import ProxyCommand, SSHException
from paramiko.ssh_exception import NoValidConnectionsError
from pyinfra import logger
from pyinfra.api.command import StringCommand
from pyinfra.api.config import Config
from pyinfra.api.exceptions import ConnectError
from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import State
from pyinfra.connectors.ssh import SSHConnector

from . import reading
from .answer import Answer

Target = Mapping[str, Any]

# The part of the time limit that one part of the hardware may take: the rest is for Python's start
# and for the way, so that one that hangs does not cost the whole answer.
_READ_PART = 0.6
# How much later a time-out of ours comes than that of the library which should end the wait.
_GUARD_S = 0.5


class _Connector(SSHConnector):
    """pyinfra's own, with the command that reaches a node behind others."""

    def make_paramiko_kwargs(self) -> dict[str, Any]:
        """Return what pyinfra gives to paramiko, and the way through other machines."""
        kwargs = dict(super().make_paramiko_kwargs())
        proxy = self.host.data.get("gpulab_proxy")
        if proxy:
            kwargs["sock"] = ProxyCommand(proxy)
        return kwargs


def ask(targets: Sequence[Target], timeout_s: float, parallel: int) -> Iterator[tuple[int, Answer]]:
    """Ask the nodes and give each one's number and answer, as they come.

    Args:
        targets: As `targets.describe` returns them, with ``ssh``.
        timeout_s: Seconds for a connection, and again for the answer.
        parallel: How many are asked at once.
    """
    # What pyinfra would print is in the answers.
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    logging.getLogger("paramiko").addHandler(logging.NullHandler())
    if not targets:
        return
    with tempfile.TemporaryDirectory(prefix="gpulab-sweep-") as scratch:
        names = [
            (str(target["host"]["name"]), _data(target, timeout_s, Path(scratch)))
            for target in targets
        ]
        inventory = Inventory((names, {}))
        for host in inventory:
            host.connector_cls = _Connector
        state = State(inventory, Config(CONNECT_TIMEOUT=timeout_s, PARALLEL=parallel))
        stdin = reading.standard_input(timeout_s * _READ_PART)
        jobs = {
            state.pool.spawn(_ask, host, target, timeout_s, stdin): number
            for number, (host, target) in enumerate(zip(inventory, targets, strict=True))
        }
        for job in gevent.iwait(list(jobs)):
            yield jobs[job], job.get()


def _data(target: Target, timeout_s: float, scratch: Path) -> dict[str, Any]:
    """Return the connection's options as pyinfra names them."""
    ssh = target["ssh"]
    return {
        "ssh_hostname": ssh["hostname"],
        "ssh_port": ssh["port"],
        "ssh_user": ssh["user"],
        **({"ssh_password": target["password"]} if target["password"] else {}),
        # All of it has been resolved: nothing may be read twice.
        "ssh_config_file": "/dev/null",
        "ssh_known_hosts_file": _known_hosts(ssh["known_hosts"], scratch),
        "ssh_strict_host_key_checking": "yes",
        "ssh_paramiko_connect_kwargs": {
            "key_filename": ssh["keys"],
            "look_for_keys": False,
            "allow_agent": ssh["agent"],
            "banner_timeout": timeout_s,
            "auth_timeout": timeout_s,
            "channel_timeout": timeout_s,
        },
        "gpulab_proxy": ssh["proxy"],
    }


def _known_hosts(files: Sequence[str], scratch: Path) -> str:
    """Return one file with all the known host keys; pyinfra takes one."""
    if len(files) == 1:
        return files[0]
    text = "\n".join(Path(name).read_text(encoding="utf-8", errors="replace") for name in files)
    together = scratch / f"known_hosts.{abs(hash(text)):x}"
    together.write_text(text, encoding="utf-8")
    return str(together)


def _ask(host: Host, target: Target, timeout_s: float, stdin: str) -> Answer:
    started = time.monotonic()

    def answer(
        reason: str, hardware: dict[str, Any] | None = None, *, root: bool = False, up: bool = True
    ) -> Answer:
        return Answer(hardware, root, reason, not up, time.monotonic() - started)

    try:
        problem = _within(timeout_s, "no connection", lambda: host.connect(raise_exceptions=True))
        if problem:
            return answer(problem, up=False)
        command = StringCommand(reading.command(target["python"], become=target["become"]))
        lines: list[str] = []
        problem = _within(
            timeout_s,
            "connected, but no answer",
            lambda: lines.extend(_run(host, command, stdin, timeout_s)),
        )
        if problem:
            return answer(problem)
        hardware, as_root = reading.parse(lines)
        return answer("", hardware, root=as_root)
    except reading.ReadingError as error:
        return answer(str(error))
    except Exception as error:
        # A fault of ours must cost this machine only, and must be seen.
        return answer(f"the sweep is faulty: {type(error).__name__}: {error}")
    finally:
        # Only the connector by SSH has one.
        client = getattr(host.connector, "client", None)
        if client is not None:
            client.close()


def _run(host: Host, command: StringCommand, stdin: str, timeout_s: float) -> list[str]:
    # pyinfra ends its own readers of the connection when its time is up; the guard in `_within`
    # comes later, and is for what pyinfra waits for without a limit.
    succeeded, output = host.run_shell_command(
        command, print_output=False, print_input=False, _stdin=stdin, _timeout=timeout_s
    )
    lines = list(output.stdout_lines)
    if not succeeded and not lines:
        said = output.stderr_lines
        raise SSHException(f"the command failed: {said[-1] if said else 'it said nothing'}")
    return lines


def _within(seconds: float, what: str, do: Callable[[], object]) -> str:
    """Do it and return "", or why it failed or was given up."""
    try:
        with gevent.Timeout(seconds + _GUARD_S):
            do()
    except (gevent.Timeout, TimeoutError):
        pass
    except (ConnectError, SSHException, OSError, EOFError) as error:
        if not isinstance(error.__context__, TimeoutError):
            return _told(error)
    else:
        return ""
    return f"{what} within {seconds:g} s"


def _told(error: BaseException) -> str:
    """Return an error in words; of a connection that failed, the system's own ones."""
    cause = error.__context__
    if isinstance(cause, NoValidConnectionsError):
        address, refusal = next(iter(cause.errors.items()))
        number = getattr(refusal, "errno", None)
        why = os.strerror(number) if number else str(refusal)
        return f"{address[0]} port {address[1]}: {why}"
    return str(error) or type(error).__name__


def main() -> None:
    """Ask as standard input says (`asking.ask`), and print each number and answer as a line."""
    wish = json.load(sys.stdin)
    # What a library may print must not come between.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for number, answer in ask(wish["targets"], wish["timeout_s"], wish["parallel"]):
        answers.write(f"{json.dumps([number, asdict(answer)])}\n")
        answers.flush()
