"""iperf3's servers as transient units of systemd, which ends them even if nobody else does."""

from __future__ import annotations

import errno
import os
import socket
import time

from ..process import call
from .iperf3 import server_command

_PREFIX = "gpulab-pairs-"
_CALL_S = 20.0
# A server listens a few milliseconds after its start; a busy node takes longer.
_LISTEN_S = 10.0
_POLL_S = 0.05

# It needs a socket and a place for its buffers, and nothing else of the machine.
_PROPERTIES = (
    "DynamicUser=yes",
    "PrivateTmp=yes",
    "ProtectHome=yes",
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
    "Environment=LC_ALL=C",
)


class ServerError(RuntimeError):
    """A server does not start or does not stop; the text says what was said about it."""


def start(address: str, port: int, processes: int, lifetime_s: int) -> list[str]:
    """Start so many servers on the ports from `port` on, and wait until they listen.

    Args:
        address: Where they answer.
        port: The first one's.
        processes: How many.
        lifetime_s: Seconds after which systemd ends them.

    Returns:
        Their units' names.

    Raises:
        ServerError: one does not start, or does not listen in time. None is left running.
    """
    ports = range(port, port + processes)
    try:
        for each in ports:
            _start(address, each, lifetime_s)
        for each in ports:
            _wait(address, each)
    except ServerError:
        stop()
        raise
    return [_unit(each) for each in ports]


def stop() -> list[str]:
    """Stop all servers that `start` has started, here or in an earlier run; return their units.

    Raises:
        ServerError: systemd does not stop them.
    """
    status, listed = call(
        *("systemctl", "list-units", "--all", "--plain", "--no-legend", f"{_PREFIX}*"),
        timeout_s=_CALL_S,
    )
    if status != 0:
        raise ServerError(f"systemctl list-units: {listed}")
    units = [line.split()[0] for line in listed.splitlines() if line.startswith(_PREFIX)]
    if units:
        status, said = call("systemctl", "stop", *units, timeout_s=_CALL_S)
        if status != 0:
            raise ServerError(f"systemctl stop {' '.join(units)}: {said}")
        # One that was ended by its time limit stays listed as failed.
        call("systemctl", "reset-failed", *units, timeout_s=_CALL_S)
    return units


def _start(address: str, port: int, lifetime_s: int) -> None:
    _check_free(address, port)
    properties = [f"--property={each}" for each in (*_PROPERTIES, f"RuntimeMaxSec={lifetime_s}")]
    status, said = call(
        *("systemd-run", "--quiet", "--collect", f"--unit={_unit(port)}", *properties),
        *server_command(address, port),
        timeout_s=_CALL_S,
    )
    if status != 0:
        raise ServerError(f"the server on port {port} does not start: {said}")


def _check_free(address: str, port: int) -> None:
    refused = _refused(address, port)
    if refused == errno.EADDRINUSE:
        raise ServerError(
            f"port {port} of {address} is taken (`ss -ltnp` tells by whom): set pairs_port"
        )
    if refused:
        raise ServerError(
            f"{address} port {port}: {os.strerror(refused)}; is this the address of this node in "
            "the inventory (node_interfaces)?"
        )


def _wait(address: str, port: int) -> None:
    """Wait until the port is taken; connecting would be a test to the server."""
    deadline = time.monotonic() + _LISTEN_S
    while time.monotonic() < deadline:
        if _refused(address, port) == errno.EADDRINUSE:
            return
        time.sleep(_POLL_S)
    _, said = call(
        "journalctl", "--unit", _unit(port), "--lines=5", "--output=cat", timeout_s=_CALL_S
    )
    raise ServerError(
        f"no server listens on {address} port {port} after {_LISTEN_S:g} s; it said: "
        f"{said[-400:] or 'nothing'}"
    )


def _refused(address: str, port: int) -> int:
    """Return why the port cannot be had, as an errno; 0 if it can."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # What an earlier test left in TIME_WAIT does not take the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            return error.errno or errno.EIO
    return 0


def _unit(port: int) -> str:
    return f"{_PREFIX}{port}.service"
