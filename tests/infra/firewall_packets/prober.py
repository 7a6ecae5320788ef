"""Real sockets on a machine: what listens, and what connects to it. Runs alone, on Python 3.9.

    prober.py listen ADDRESS... -- PORT...      answer on each address and port until killed
    prober.py probe                             JSON on stdin, JSON on stdout

An answer of a listener says who it saw, so "it passed" is never guessed: a TCP listener greets, a
UDP listener echoes, and protocol 253 (RFC 3692, for experiments) stands for every other protocol.
A probe is ``[source or null, protocol, address, port, size]``, the size being that of a datagram in
bytes; its result is ``{"verdict", "source", "seen"}``. The verdict is ``open`` (an answer came),
``refused`` (a reset or a port unreachable), ``silent`` (nothing within the time) or ``unroutable``.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import selectors
import socket
import struct
import sys
import time
from collections.abc import Iterator
from typing import Any

#: How long a probe waits for an answer, s. The kernel sends a SYN again after one second.
DEADLINE_S = 1.4
#: When a datagram is sent again, s after the first.
AGAIN_S = 0.5
#: Sockets that are open at a time.
BATCH = 2000
EXPERIMENTAL = 253
NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EACCES)


def family_of(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def resolve(address: str, port: int) -> tuple[Any, ...]:
    """Give a socket address; ``fe80::1%eth0`` keeps its interface."""
    kind = family_of(address)
    return socket.getaddrinfo(address, port, kind, socket.SOCK_DGRAM, 0, socket.AI_NUMERICHOST)[0][
        4
    ]


def open_listeners(
    addresses: list[str], ports: list[int]
) -> Iterator[tuple[socket.socket, socket.SocketKind]]:
    """Open what is asked; a port that another service holds already is left to it."""
    for address in addresses:
        for port in ports:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                opened = socket.socket(family_of(address), kind)
                opened.setblocking(False)
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if ":" in address:
                    opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                try:
                    opened.bind(resolve(address, port))
                except OSError as error:
                    if error.errno != errno.EADDRINUSE:
                        raise
                    opened.close()
                    continue
                if kind == socket.SOCK_STREAM:
                    opened.listen(64)
                yield opened, kind
        raw = socket.socket(family_of(address), socket.SOCK_RAW, EXPERIMENTAL)
        raw.setblocking(False)
        raw.bind(resolve(address, 0))
        yield raw, socket.SOCK_RAW


def answer(opened: socket.socket, kind: socket.SocketKind) -> None:
    """Answer one peer of a listener, or do nothing where it is gone again."""
    # The peer may be gone, and the firewall may refuse the answer: both are the prober's to see.
    with contextlib.suppress(OSError):
        if kind == socket.SOCK_STREAM:
            peer, address = opened.accept()
            with peer:
                peer.send(("seen " + address[0] + "\n").encode())
            return
        data, address = opened.recvfrom(65535)
        if kind == socket.SOCK_RAW:
            data = data[20:] if opened.family == socket.AF_INET else data
            address = (address[0], 0, *address[2:])
        # Two listeners that answered each other's answers would never end.
        if data.startswith(b"seen"):
            return
        opened.sendto(("seen " + address[0] + " " + str(len(data))).encode(), address)


def notify_systemd() -> None:
    """Tell systemd that every socket is open, so that whoever started the unit may begin."""
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(b"READY=1", path.replace("@", "\0", 1) if path[0] == "@" else path)


def listen(addresses: list[str], ports: list[int]) -> None:
    """Answer until killed."""
    selector = selectors.DefaultSelector()
    for opened, kind in open_listeners(addresses, ports):
        selector.register(opened, selectors.EVENT_READ, kind)
    notify_systemd()
    while True:
        for key, _ in selector.select():
            answer(key.fileobj, key.data)


class Probe:
    """One attempt, from its first packet to its verdict."""

    def __init__(
        self, number: int, source: str | None, protocol: str, address: str, port: int, size: int
    ) -> None:
        """Send the first packet; ``number`` tells this probe from others of the same batch."""
        self.protocol = protocol
        self.target = resolve(address, 0)[0]
        self.verdict: str | None = None
        self.seen: str | None = None
        self.source: str | None = None
        six = ":" in address
        family = socket.AF_INET6 if six else socket.AF_INET
        kind, ip_protocol = {
            "tcp": (socket.SOCK_STREAM, 0),
            "udp": (socket.SOCK_DGRAM, 0),
            "icmp": (socket.SOCK_RAW, socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP),
            "other": (socket.SOCK_RAW, EXPERIMENTAL),
        }[protocol]
        self.socket = socket.socket(family, kind, ip_protocol)
        self.socket.setblocking(False)
        ident = (os.getpid() ^ number) & 0xFFFF
        if protocol == "icmp":
            self.asked = struct.pack("!BBHHH", 128 if six else 8, 0, 0, ident, number & 0xFFFF)
            if not six:
                self.asked = self.asked[:2] + checksum(self.asked) + self.asked[4:]
            self.expected = (bytes([129 if six else 0]), self.asked[4:8])
        else:
            self.asked = b"ask".ljust(size, b".")
        try:
            if source:
                self.socket.bind(resolve(source, 0))
            self.socket.connect(resolve(address, 0 if kind == socket.SOCK_RAW else port))
        except BlockingIOError:
            pass
        except OSError as error:
            self.failed(error.errno)
            return
        self.source = self.socket.getsockname()[0]
        if protocol != "tcp":
            self.ask()

    def ask(self) -> None:
        """Send the datagram. A firewall that drops it on its way out shows as EPERM: silence."""
        try:
            self.socket.send(self.asked)
        except OSError as error:
            if error.errno != errno.EPERM:
                self.failed(error.errno)

    def failed(self, number: int | None) -> None:
        """Take an error of the socket as the verdict."""
        if number in NO_ROUTE:
            self.verdict = "unroutable"
        elif number in (errno.ECONNREFUSED, errno.ECONNRESET):
            self.verdict = "refused"
        elif number == errno.ETIMEDOUT:
            self.verdict = "silent"
        else:
            self.verdict = "error: " + os.strerror(number)

    def readable(self) -> None:
        """Take an answer."""
        try:
            data, peer = self.socket.recvfrom(65535)
        except BlockingIOError:
            return
        except OSError as error:
            self.failed(error.errno)
            return
        if self.protocol == "icmp":
            message = data[20:] if self.socket.family == socket.AF_INET else data
            if (message[:1], message[4:8]) != self.expected:
                return
        elif self.protocol == "other":
            data = data[20:] if self.socket.family == socket.AF_INET else data
            # Before it is connected, a raw socket hears answers that were meant for others.
            if not data.startswith(b"seen ") or peer[0] != self.target:
                return
        self.verdict = "open"
        words = data.split()
        if words[:1] == [b"seen"]:
            self.seen = words[1].decode()


def checksum(message: bytes) -> bytes:
    """Give the Internet checksum (RFC 1071) of an even number of bytes."""
    total = sum(struct.unpack(f"!{len(message) // 2}H", message))
    total = (total >> 16) + (total & 0xFFFF)
    return struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF)


def run_batch(batch: list[Probe]) -> None:
    """Run probes side by side until each has its verdict, or their time is over."""
    selector = selectors.DefaultSelector()
    for probe in batch:
        if probe.verdict is None:
            # Readable alone tells the greeting, the answer, and an error too.
            selector.register(probe.socket, selectors.EVENT_READ, probe)
    began = time.monotonic()
    asked_again = False
    while selector.get_map():
        waited = time.monotonic() - began
        if waited > DEADLINE_S:
            break
        if waited > AGAIN_S and not asked_again:
            asked_again = True
            for key in list(selector.get_map().values()):
                if key.data.protocol != "tcp":
                    key.data.ask()
        for key, _ in selector.select(0.1):
            key.data.readable()
            if key.data.verdict is not None:
                selector.unregister(key.fileobj)
    for probe in batch:
        if probe.verdict is None:
            probe.verdict = "silent"
        if probe.protocol == "tcp":
            # A reset on closing leaves nothing behind in TIME_WAIT.
            with contextlib.suppress(OSError):
                probe.socket.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
        probe.socket.close()
    selector.close()


def probe_all(asked: list[list[Any]]) -> list[dict[str, str | None]]:
    """Run probes in batches; give their results in the same order."""
    results = []
    for first in range(0, len(asked), BATCH):
        batch = [
            Probe(first + offset, *words)
            for offset, words in enumerate(asked[first : first + BATCH])
        ]
        run_batch(batch)
        results += [{"verdict": p.verdict, "source": p.source, "seen": p.seen} for p in batch]
    return results


def main() -> None:
    """Do what the first argument says."""
    # A node's usual 1024 open files are fewer than its sockets here.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if sys.argv[1] == "listen":
        cut = sys.argv.index("--")
        listen(sys.argv[2:cut], [int(port) for port in sys.argv[cut + 1 :]])
    else:
        json.dump(probe_all(json.load(sys.stdin)), sys.stdout)


if __name__ == "__main__":
    main()
