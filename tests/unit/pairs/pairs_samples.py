"""Measurements of a lab in which everything is well, and ways to break one part of it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.pairs.nodes import Node

Measured = dict[str, Any]
# (sender, receiver) → Gb/s; (one, other) → something of their round trip.
Rate = Callable[[str, str], float | None]
RoundTrip = Callable[[str, str], float | None]

#: Ten gigabits a second are declared: nine are enough.
LINE_GBPS = 9.4


def lab(names: str, **changes: Any) -> dict[str, Node]:
    """Declare nodes, one letter each, with a line rate of 10 Gb/s and 1 ms at most."""
    declared = {
        "interface": "ens1f0",
        "rate_mbps": 10_000,
        "rate_source": "lab_zones.fabric.speed_mbps",
        "round_trip_ms_max": 1.0,
        **changes,
    }
    return {
        name: Node(address=f"10.0.0.{number}", **declared) for number, name in enumerate(names, 1)
    }


def transfer(gbps: float | None, *, error: str = "", sender_cpu: float = 40) -> Measured:
    return {
        "gbps": gbps,
        "bytes": None,
        "seconds": 3,
        "retransmits": 0,
        "sender_cpu": sender_cpu,
        "receiver_cpu": 50,
        "error": error,
    }


def round_trip(ms: float | None, lost: float | None = 0, error: str = "") -> Measured:
    received = None if lost is None else round(200 * (100 - lost) / 100)
    return {
        "sent": None if lost is None else 200,
        "received": received,
        "loss_percent": lost,
        "min_ms": ms,
        "mean_ms": ms,
        "p50_ms": ms,
        "p95_ms": ms,
        "max_ms": ms,
        "error": error,
    }


def measured(
    client: str,
    server: str,
    *,
    rate: Rate = lambda *_: LINE_GBPS,
    ms: RoundTrip = lambda *_: 0.1,
    lost: RoundTrip = lambda *_: 0,
    again: bool = False,
) -> Measured:
    """Measure a pair; functions say what is found."""
    return {
        "client": client,
        "server": server,
        "again": again,
        "round_trip": round_trip(ms(client, server), lost(client, server)),
        "forward": transfer(rate(client, server)),
        "reverse": transfer(rate(server, client)),
    }


def not_run(client: str, server: str, *, again: bool = False) -> Measured:
    """Measure a pair that does not answer."""
    why = "unable to connect to server: Connection refused"
    return {
        "client": client,
        "server": server,
        "again": again,
        "round_trip": round_trip(None, None, "Network is unreachable"),
        "forward": transfer(None, error=why),
        "reverse": transfer(None, error=why),
    }


def everybody(names: str, **found: Any) -> list[Measured]:
    """Measure all pairs."""
    return [measured(*pair, **found) for pair in combinations(names, 2)]
