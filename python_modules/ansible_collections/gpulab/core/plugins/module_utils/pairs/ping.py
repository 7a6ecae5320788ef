"""ping's command line, and what its output says.

Read on iputils 20210202, 20221126 and 20240905.
"""

from __future__ import annotations

import re
from statistics import median, quantiles
from typing import Any

RoundTrips = dict[str, Any]

INTERVAL_S = 0.01
# How long an answer to the last packet is waited for.
_WAIT_S = 2

_REPLY = re.compile(r"icmp_seq=(\d+).* time=([0-9.]+) ms$", re.MULTILINE)
_SUMMARY = re.compile(r"^(\d+) packets transmitted, (\d+) received", re.MULTILINE)


def command(address: str, source: str, count: int) -> list[str]:
    """Return the command that sends `count` packets, one every `INTERVAL_S`, from `source`."""
    pace = ["-c", str(count), "-i", str(INTERVAL_S), "-W", str(_WAIT_S)]
    return ["ping", "-n", *pace, "-I", source, address]


def seconds(count: int) -> float:
    """Return how long that takes at most, if ping keeps its own time."""
    # Without answers, ping sends more slowly than it was told to: it waits for each a little.
    return count * INTERVAL_S * 2 + _WAIT_S + 1


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
