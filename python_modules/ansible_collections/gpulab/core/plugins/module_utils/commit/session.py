"""By which SSH connection a process was started: read from ``/proc``, judged by its start."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

#: What OpenSSH's processes of a connection are called, since 9.8 and before.
_SERVERS = ("sshd-session", "sshd")
#: A chain of parents is a dozen long; more is a loop of a process that ended meanwhile.
_DEPTH = 64


@dataclass(frozen=True)
class Session:
    """An SSH connection.

    Attributes:
        started: when its server process was started, in seconds since boot.
        client: the client's address as this machine sees it, or "".
        server: this machine's address that the client talks to, or "".
        port: this machine's port, or 0.
    """

    started: float
    client: str = ""
    server: str = ""
    port: int = 0

    def is_newer_than(self, moment: float) -> bool:
        """Say whether the connection was opened after a moment, in seconds since boot."""
        return self.started >= moment


@dataclass(frozen=True)
class _Process:
    name: str
    parent: int
    started: float
    title: str


def find(pid: int, proc: Path = Path("/proc")) -> Session | None:
    """Find the SSH connection that a process belongs to.

    Of the processes that serve a connection it takes the one that was started when the connection
    was accepted, which with OpenSSH is titled ``[priv]``; for root there is only one.

    Args:
        pid: the process.
        proc: where the kernel shows processes.

    Returns:
        None when the process was started by no OpenSSH server that can be seen from here.
    """
    below, found = pid, None
    for _ in range(_DEPTH):
        process = _read(proc / str(pid))
        if process is None:
            return found
        if process.name in _SERVERS:
            if found is None:
                found = Session(process.started, *_connection(proc / str(below) / "environ"))
            elif "[priv]" in process.title:
                found = replace(found, started=process.started)
        elif found is not None:
            return found
        below, pid = pid, process.parent
        if pid <= 1:
            return found
    return found


def parse_connection(environ: bytes) -> tuple[str, str, int]:
    """Read client's address, server's address and server's port of a process' environment.

    Returns:
        ``("", "", 0)`` when ``SSH_CONNECTION`` is not there.
    """
    for pair in environ.split(b"\0"):
        name, _, value = pair.partition(b"=")
        words = value.decode("ascii", "replace").split()
        # OpenSSH says UNKNOWN where its connection is no socket.
        if name == b"SSH_CONNECTION" and len(words) == 4 and words[0] != "UNKNOWN":
            return _address(words[0]), _address(words[2]), int(words[3])
    return "", "", 0


def _address(word: str) -> str:
    """Take the interface off a link-local address (fe80::1%eth0), and IPv6 off an IPv4 one."""
    address = word.partition("%")[0]
    return address[7:] if address.startswith("::ffff:") and "." in address else address


def _read(folder: Path) -> _Process | None:
    try:
        # proc(5): "pid (comm) state ppid …", field 22 is the start in clock ticks since boot.
        name, _, rest = (folder / "stat").read_text().partition("(")[2].rpartition(")")
        fields = rest.split()
        title = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        ticks = os.sysconf("SC_CLK_TCK")
        return _Process(name, int(fields[1]), int(fields[19]) / ticks, title)
    except (OSError, ValueError, IndexError):
        return None


def _connection(environ: Path) -> tuple[str, str, int]:
    try:
        return parse_connection(environ.read_bytes())
    except OSError:
        return "", "", 0
