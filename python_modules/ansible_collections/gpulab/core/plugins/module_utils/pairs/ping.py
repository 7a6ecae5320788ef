"""ping's command line, and what its output says.

Read on iputils 20210202, 20221126 and 20240905.
"""

from __future__ import annotations

import re
from math import ceil
from statistics import median, quantiles
from typing import Any

RoundTrips = dict[str, Any]

INTERVAL_S = 0.01
# What ping itself may take: without an answer it sends more slowly than it was told to (200 packets
# took 3.3 s), and to an address that nobody has, it would go on for minutes.
_SLOWER = 2
_SPARE_S = 1
_GRACE_S = 5.0

_REPLY = re.compile(r"icmp_seq=(\d+).* time=([0-9.]+) ms$", re.MULTILINE)
_SUMMARY = re.compile(r"^(\d+) packets transmitted, (\d+) received", re.MULTILINE)


def command(address: str, source: str, count: int) -> list[str]:
    """Return the command that pings from `source` every `INTERVAL_S` until `count` answers are in.

    It ends earlier where the network says that there is no way, and at its deadline.
    """
    pace = ["-c", str(count), "-i", str(INTERVAL_S), "-w", str(_deadline_s(count))]
    return ["ping", "-n", *pace, "-I", source, address]


def timeout_s(count: int) -> float:
    """Return after how many seconds ping has missed its own deadline."""
    return _deadline_s(count) + _GRACE_S


def _deadline_s(count: int) -> int:
    return ceil(_SLOWER * count * INTERVAL_S) + _SPARE_S


def parse(text: str, stderr: str = "") -> RoundTrips:
    """Return the round trips, or why there are none.

    Args:
        text: What ping printed, in the C locale.
        stderr: Its last words besides.

    Returns:
        ``sent``, ``received``, ``loss_percent``; ``min_ms``, ``mean_ms``, ``p50_ms``, ``p95_ms``,
        ``max_ms``, None without an answer; ``error`` is '' where ping ran, also where nothing came
        back. An answer that came twice counts once.
    """
    summary = _SUMMARY.search(text)
    if summary is None or summary[1] == "0":
        return failed(stderr or "ping printed no summary")
    sent, received = int(summary[1]), int(summary[2])
    first: dict[str, float] = {}
    for number, time_ms in _REPLY.findall(text):
        first.setdefault(number, float(time_ms))
    return {
        "sent": sent,
        "received": received,
        "loss_percent": 100 * (sent - received) / sent,
        **_spread(list(first.values())),
        "error": "",
    }


def failed(why: str) -> RoundTrips:
    """Return round trips that were not measured."""
    nothing: RoundTrips = dict.fromkeys(("sent", "received", "loss_percent"))
    last = " ".join((why.strip().splitlines() or ["no reason given"])[-1].split())
    return {**nothing, **_spread([]), "error": last}


def _spread(times_ms: list[float]) -> RoundTrips:
    if not times_ms:
        return dict.fromkeys(("min_ms", "mean_ms", "p50_ms", "p95_ms", "max_ms"))
    several = times_ms * 2 if len(times_ms) == 1 else times_ms
    return {
        "min_ms": min(times_ms),
        "mean_ms": sum(times_ms) / len(times_ms),
        "p50_ms": median(times_ms),
        "p95_ms": quantiles(several, n=20, method="inclusive")[18],
        "max_ms": max(times_ms),
    }
