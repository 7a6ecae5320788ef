"""A node past SSH and Ansible, a watch over its way in, and a controller that can be killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.firewall.listing import static
from ansible_collections.gpulab.core.plugins.module_utils.sandbox.containers import container_name
from ansible_collections.gpulab.core.plugins.module_utils.sandbox.engine import Engine, find_engine

#: firewall_confirm_timeout of the scenario, the role's default, in seconds.
CONFIRM_S = 30
#: What a rollback takes besides: waking up, three commands, sshd's answer; half a second on a
#: quiet host, and seconds beside compilers and other machines.
LITTLE_S = 15
#: For what has no promise to keep: daemons that start, programs that end.
PATIENCE_S = 120


@dataclass
class Node:
    """One node, past SSH and Ansible."""

    name: str
    address: str
    lab: str
    engine: Engine = field(default_factory=find_engine, repr=False)

    @property
    def container(self) -> str:
        return container_name(self.lab, self.name)

    def shell(self, script: str, *, check: bool = True) -> str:
        """Run a script as root by the container engine."""
        done = self.engine.run("exec", self.container, "sh", "-c", script, check=check)
        return str(done.stdout)

    def ruleset(self) -> str:
        """List all tables, as they do not depend on packets."""
        return static(self.shell("nft --stateless list ruleset"))

    def table(self, name: str = "inet gpulab") -> str:
        """List one table, or give "" where it is not."""
        return static(self.shell(f"nft --stateless list table {name} 2> /dev/null || true"))

    def files(self) -> str:
        """List all files that the roles could write, with what they are and the rulesets' sums."""
        where = "/etc /usr/local /var/lib/gpulab /run/systemd/system"
        return self.shell(
            f"find {where} -not -type d -printf '%p %y %s %m %u:%g %l\\n' | sort; "
            "sha256sum /etc/gpulab/* 2> /dev/null || true"
        )

    def greets(self, wait_s: float = 1.0) -> bool:
        """Say whether SSH answers a new connection."""
        try:
            with socket.create_connection((self.address, 22), wait_s) as connection:
                connection.settimeout(wait_s)
                return connection.recv(8).startswith(b"SSH-")
        except OSError:
            return False

    def wait_until(self, what: Callable[[], object], limit_s: float) -> float:
        """Wait for something; return the seconds that it took."""
        start = time.monotonic()
        while not what():
            assert time.monotonic() - start < limit_s, f"not within {limit_s} s"
            time.sleep(0.1)
        return time.monotonic() - start

    def is_under_way(self) -> bool:
        """Say whether a change waits for its confirmation, or for its end."""
        names = "/var/lib/gpulab/commit/*/change.json /var/lib/gpulab/commit/*/undoing.json"
        return bool(self.shell(f"ls {names} 2> /dev/null || true"))

    def is_applied(self) -> bool:
        """Say whether the commands of a change have ended."""
        record = self.shell("cat /var/lib/gpulab/commit/*/change.json 2> /dev/null || true")
        return bool(record) and '"applied_at": null' not in record


class Watch(threading.Thread):
    """Opens a new connection all the time, and notes for how long none got through."""

    def __init__(self, node: Node) -> None:
        """Start with a node that answers."""
        super().__init__(daemon=True)
        self._node, self._over = node, threading.Event()
        self._answered = 0.0
        self.outage_s = 0.0

    def run(self) -> None:
        """Knock until told to stop."""
        self._answered = time.monotonic()
        while not self._over.is_set():
            self._knock(0.5)
            self._over.wait(0.1)

    def _knock(self, wait_s: float) -> None:
        if self._node.greets(wait_s):
            now = time.monotonic()
            self.outage_s = max(self.outage_s, now - self._answered)
            self._answered = now

    def __enter__(self) -> Watch:
        """Begin."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop; `outage_s` is then final."""
        self._over.set()
        self.join()
        # An outage that has ended since the last knock is one, too.
        self._knock(LITTLE_S)


@dataclass
class Controller:
    """A run of ansible-playbook that can be killed, with everything that belongs to it."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def read_until(self, text: str) -> None:
        """Read what it prints up to a line with that text."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if text in line:
                return
        pytest.fail(f"never said {text!r}:\n{''.join(self.lines)}")

    def kill(self) -> None:
        """Kill it as a power cut does: no handler, no goodbye."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def end(self) -> str:
        """Wait for its end, and give all that it has said, on one line."""
        assert self.process.stdout is not None
        self.lines += self.process.stdout
        self.process.wait()
        return " ".join("".join(self.lines).split())
