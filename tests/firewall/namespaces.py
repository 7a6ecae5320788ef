"""Nodes of the kernel's own making: network namespaces, joined by bridges.

They are real to nftables and to packets, and to nothing else: one kernel, no systemd, no engine of
containers. Whole nodes are tested by molecule's scenario firewall.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import probe

PROBE = Path(probe.__file__)
# Debian keeps ip and nft where users who are not root do not look.
ENVIRONMENT = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
TIMEOUT_S = 60
# What needs root is done by root of a user namespace, where this user is not root.
_UNSHARE = ["unshare", "--net", "--mount"]
_ENTER = ["--net", "--mount"]
if os.geteuid() != 0:
    _UNSHARE += ["--user", "--map-root-user"]
    _ENTER += ["--user", "--preserve-credentials"]


class World:
    """A network namespace with bridges in it, and nodes around."""

    def __enter__(self) -> World:
        """Start a process that keeps the namespaces."""
        self._holder = subprocess.Popen(
            [*_UNSHARE, "sh", "-c", "mount -t tmpfs tmpfs /run && echo ready && exec sleep 600"],
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
            start_new_session=True,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "ready\n"
        self._started: list[subprocess.Popen[str]] = []
        self._links = 0
        return self

    def __exit__(self, *_: object) -> None:
        """End every process; the kernel removes what they held."""
        for process in (*self._started, self._holder):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def command(self, machine: str, *words: str) -> list[str]:
        """Return the command that runs `words` on a node, or between the nodes for ""."""
        inside = ["ip", "netns", "exec", machine] if machine else []
        return ["nsenter", f"--target={self._holder.pid}", *_ENTER, *inside, *words]

    def run(self, machine: str, *words: str, check: bool = True) -> str:
        """Run a command there and return what it printed."""
        done = subprocess.run(
            self.command(machine, *words),
            capture_output=True,
            text=True,
            env=ENVIRONMENT,
            timeout=TIMEOUT_S,
            check=False,
        )
        if check and done.returncode:
            msg = f"{' '.join(words)}: {done.stdout}{done.stderr}"
            raise AssertionError(msg)
        return done.stdout if done.returncode == 0 else done.stderr

    def add(self, machine: str) -> None:
        """Add a node without interfaces."""
        self.run("", "ip", "netns", "add", machine)
        self.run(machine, "ip", "link", "set", "lo", "up")

    def plug(self, machine: str, interface: str, network: str, *addresses: str) -> None:
        """Give a node an interface in a network, which a bridge makes."""
        if f" {network}:" not in self.run("", "ip", "-o", "link"):
            self.run("", "ip", "link", "add", network, "type", "bridge")
            self.run("", "ip", "link", "set", network, "up")
        self._links += 1
        port = f"port{self._links}"
        pair = ["type", "veth", "peer", "name", interface, "netns", machine]
        self.run("", "ip", "link", "add", port, *pair)
        self.run("", "ip", "link", "set", port, "master", network, "up")
        self.run(machine, "ip", "link", "set", interface, "up")
        for address in addresses:
            quick = ["nodad"] if ":" in address else []
            self.run(machine, "ip", "address", "add", address, "dev", interface, *quick)

    def route(self, machine: str, *words: str) -> None:
        """Add a route."""
        family = ["-6"] if any(":" in word for word in words) else []
        self.run(machine, "ip", *family, "route", "add", *words)

    def load(self, machine: str, ruleset: str) -> None:
        """Check a ruleset and load it, as the role does."""
        self.nft(machine, ruleset, "-c")
        self.nft(machine, ruleset)

    def nft(self, machine: str, ruleset: str, *options: str, check: bool = True) -> str:
        """Give nft a ruleset on its standard input and return its complaint."""
        done = subprocess.run(
            self.command(machine, "nft", *options, "-f", "-"),
            input=ruleset,
            capture_output=True,
            text=True,
            env=ENVIRONMENT,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert not (check and done.returncode), done.stderr
        return done.stderr

    def serve(self, machine: str, *ports: int) -> None:
        """Answer by TCP and UDP on these ports of all addresses."""
        process = subprocess.Popen(
            self.command(machine, "python3", str(PROBE), "serve", *map(str, ports)),
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
            start_new_session=True,
        )
        self._started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "serving\n"

    def ask(self, machine: str, questions: list[dict[str, Any]]) -> list[str]:
        """Ask all at once; return by question who the server saw asking, "" without an answer."""
        said = self.run(machine, "python3", str(PROBE), "ask", json.dumps(questions))
        answers: list[str] = json.loads(said)
        return answers

    def reaches(
        self, machine: str, source: str, target: str, port: int, protocol: str = "tcp"
    ) -> bool:
        """Whether one connection is answered."""
        question = {"source": source, "target": target, "port": port, "protocol": protocol}
        return bool(self.ask(machine, [question])[0])
