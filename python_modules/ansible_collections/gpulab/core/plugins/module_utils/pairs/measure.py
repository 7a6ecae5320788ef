"""Measure one pair from its client's side: round trips first, then each direction by itself."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ..process import Outcome, run_group
from . import iperf3, ping

Run = Callable[[list[str], float], Outcome]

# Beyond the seconds that are asked for: connecting, and the exchange of results at the end.
_GRACE_S = 10.0
# A server ends its last test a moment after its client; how often, and after how long, it is asked.
_BUSY_TRIES = 6
_BUSY_WAIT_S = 0.5


@dataclass(frozen=True)
class Order:
    """One pair's test.

    Attributes:
        address: The server's address in the zone.
        source: Our own address in the zone.
        port: The first server's port; the others' follow.
        processes: iperf3 processes side by side, each with a server of its own.
        streams: TCP connections of each process.
        seconds: How long each direction is measured.
        omit_s: Seconds before that, which do not count.
        pings: Packets of the round trip.
    """

    address: str
    source: str
    port: int
    processes: int
    streams: int
    seconds: int
    omit_s: int
    pings: int


def run_in_c_locale(argv: list[str], timeout_s: float) -> Outcome:
    """Run a tool whose output is read."""
    return run_group(argv, {**os.environ, "LC_ALL": "C"}, timeout_s)


def measure(order: Order, run: Run = run_in_c_locale) -> dict[str, Any]:
    """Return ``round_trip`` (see `ping.parse`), ``forward`` and ``reverse`` (see `iperf3.parse`).

    Forward is from this node to the server. What fails is told in each one's ``error``.
    """
    return {
        "round_trip": _round_trip(order, run),
        "forward": _transfer(order, run, reverse=False),
        "reverse": _transfer(order, run, reverse=True),
    }


def _round_trip(order: Order, run: Run) -> dict[str, Any]:
    command = ping.command(order.address, order.source, order.pings)
    limit_s = ping.timeout_s(order.pings)
    ended = run(command, limit_s)
    if ended.timed_out:
        return ping.failed(f"ping did not end within {limit_s:g} s")
    return ping.parse(ended.stdout, ended.start_error or ended.stderr_tail)


def _transfer(order: Order, run: Run, *, reverse: bool) -> dict[str, Any]:
    ports = range(order.port, order.port + order.processes)
    with ThreadPoolExecutor(len(ports)) as pool:
        parts = list(pool.map(lambda port: _one(order, run, port, reverse=reverse), ports))
    return iperf3.together(parts)


def _one(order: Order, run: Run, port: int, *, reverse: bool) -> dict[str, Any]:
    command = iperf3.client_command(
        order.address,
        port,
        source=order.source,
        seconds=order.seconds,
        omit_s=order.omit_s,
        streams=order.streams,
        reverse=reverse,
    )
    limit_s = order.seconds + order.omit_s + _GRACE_S
    transfer = iperf3.failed("not tried")
    for _ in range(_BUSY_TRIES):
        ended = run(command, limit_s)
        if ended.timed_out:
            return iperf3.failed(f"iperf3 did not end within {limit_s:g} s")
        transfer = iperf3.parse(ended.stdout, ended.start_error or ended.stderr_tail)
        if not iperf3.is_busy(transfer):
            break
        time.sleep(_BUSY_WAIT_S)
    return transfer
