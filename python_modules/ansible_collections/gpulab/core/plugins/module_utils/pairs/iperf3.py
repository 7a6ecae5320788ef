"""iperf3's client: its command line, and what its JSON document says.

Read on iperf3 3.9, 3.12 and 3.18. Its exit status is no guide (3.12 ends with 0 although it could
not connect), nor does every version put the error into the document (3.9 prints it on stderr).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

Transfer = dict[str, Any]

# Milliseconds until a connection that nobody answers counts as failed.
CONNECT_TIMEOUT_MS = 3000
# What a client says whose server has not finished its test before, by version; the first is 3.12's
# and newer, the second 3.9's.
_BUSY = ("busy running a test", "unable to send control message: Connection reset by peer")

_BITS_PER_GIGABIT = 1e9


def server_command(address: str, port: int) -> list[str]:
    """Return the command of a server that answers on one address and port only."""
    return ["iperf3", "--server", "--bind", address, "--port", str(port)]


def client_command(
    address: str,
    port: int,
    *,
    source: str,
    seconds: int,
    omit_s: int,
    streams: int,
    reverse: bool,
) -> list[str]:
    """Return the command that sends over TCP for so many seconds and prints one JSON document.

    Args:
        address: The server's.
        port: The server's.
        source: Our own address, so that the test takes the way of the zone.
        seconds: How long is measured.
        omit_s: Seconds before that, in which TCP finds its speed.
        streams: Connections side by side.
        reverse: The server sends.
    """
    command = ["iperf3", "--client", address, "--port", str(port), "--bind", source, "--json"]
    command += ["--time", str(seconds), "--omit", str(omit_s), "--parallel", str(streams)]
    # No interim figures: the sums at the end are all that is read.
    command += ["--interval", "0", "--connect-timeout", str(CONNECT_TIMEOUT_MS)]
    return [*command, "--reverse"] if reverse else command


def parse(document: str, stderr: str = "") -> Transfer:
    """Return what was transferred, or why nothing was.

    Args:
        document: What iperf3 printed with ``--json``.
        stderr: Its last words besides.

    Returns:
        ``gbps`` (received, Gb/s), ``bytes`` (received), ``seconds``, ``retransmits`` (of the
        sender), ``sender_cpu`` and ``receiver_cpu`` (% of one core), each None where it is not
        told; ``error`` is '' for a whole transfer, and with an error ``gbps`` is None.
    """
    try:
        told = json.loads(document)
    except ValueError:
        return failed(stderr or "iperf3 printed no JSON document")
    if not isinstance(told, dict):
        return failed("iperf3 printed no JSON document")
    error = str(told.get("error") or "")
    end = _mapping(told.get("end"))
    received, sent = _mapping(end.get("sum_received")), _mapping(end.get("sum_sent"))
    rate = _number(received.get("bits_per_second"))
    # A test that the server broke off has an error and, up to there, sums.
    if error or rate is None:
        return failed(error or stderr or "iperf3 tells no sum_received")
    cpu = _mapping(end.get("cpu_utilization_percent"))
    ours, theirs = _number(cpu.get("host_total")), _number(cpu.get("remote_total"))
    reverse = bool(_mapping(_mapping(told.get("start")).get("test_start")).get("reverse"))
    return {
        "gbps": rate / _BITS_PER_GIGABIT,
        "bytes": _number(received.get("bytes")),
        "seconds": _number(received.get("seconds")),
        "retransmits": _number(sent.get("retransmits")),
        "sender_cpu": theirs if reverse else ours,
        "receiver_cpu": ours if reverse else theirs,
        "error": "",
    }


def failed(why: str) -> Transfer:
    """Return a transfer that did not take place; `why` goes on one line."""
    last = " ".join((why.strip().splitlines() or ["no reason given"])[-1].split())
    nothing: Transfer = dict.fromkeys(
        ("gbps", "bytes", "seconds", "retransmits", "sender_cpu", "receiver_cpu")
    )
    return {**nothing, "error": last.split("error - ", 1)[-1]}


def is_busy(transfer: Transfer) -> bool:
    """Return whether the server had another test, so that it is worth asking again in a moment."""
    return any(words in transfer["error"] for words in _BUSY)


def together(transfers: Sequence[Transfer]) -> Transfer:
    """Return the sum of transfers that ran side by side; one that failed spoils it.

    Half of a sum would look like a slow link.
    """
    for transfer in transfers:
        if transfer["error"]:
            return failed(transfer["error"])
    return {
        "gbps": sum(transfer["gbps"] for transfer in transfers),
        "bytes": _sum(transfers, "bytes"),
        "seconds": max((t["seconds"] for t in transfers if t["seconds"] is not None), default=None),
        "retransmits": _sum(transfers, "retransmits"),
        # Each process has a core of its own: what limits is the busiest.
        "sender_cpu": _most(transfers, "sender_cpu"),
        "receiver_cpu": _most(transfers, "receiver_cpu"),
        "error": "",
    }


def _sum(transfers: Sequence[Transfer], key: str) -> float | None:
    values = [transfer[key] for transfer in transfers]
    return None if None in values else sum(values)


def _most(transfers: Sequence[Transfer], key: str) -> float | None:
    return max((t[key] for t in transfers if t[key] is not None), default=None)


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value
