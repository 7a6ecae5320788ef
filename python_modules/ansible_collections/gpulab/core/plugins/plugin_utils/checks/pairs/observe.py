"""Hold a pair's measurement against what is required of both its nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .localise import Path, one_way, two_way
from .nodes import Node

Measurement = Mapping[str, Any]

# Symptoms, by the id of the finding that tells of them.
MEASURED = "pair.measured"
BANDWIDTH = "pair.bandwidth"
LOSS = "pair.loss"
ROUND_TRIP = "pair.round_trip"
SYMPTOMS = (MEASURED, BANDWIDTH, LOSS, ROUND_TRIP)

GOOD = "good"
BAD = "bad"
INTERMITTENT = "intermittent"

# From here on it may be the processor that limits iperf3, and not the network.
BUSY_CORE_PERCENT = 95


@dataclass(frozen=True)
class Limits:
    """What a healthy pair must reach.

    Attributes:
        share_min: Least share of the line rate that TCP delivers. Our proposal, to be calibrated:
            Ethernet, IP and TCP headers leave 94 % of a link at an MTU of 1500.
        loss_percent_max: Most packets lost, in percent. A switched network at rest loses none.
    """

    share_min: float = 0.9
    loss_percent_max: float = 0.0


@dataclass(frozen=True)
class Seen:
    """One symptom looked for on one path.

    Attributes:
        symptom: One of `SYMPTOMS`.
        path: Where.
        ok: Whether it meets its limit; None where there is no limit, or no value.
        value: What was measured, or None.
        limit: What is required, or None.
        told: What was measured, in words.
        busy: Nodes of which iperf3 used a whole core, where that may be why it was slow.
    """

    symptom: str
    path: Path
    ok: bool | None
    value: float | None
    limit: float | None
    told: str
    busy: tuple[str, ...] = ()


def observe(measured: Measurement, nodes: Mapping[str, Node], limits: Limits) -> list[Seen]:
    """Return what one measurement shows.

    Args:
        measured: ``client``, ``server``, and ``round_trip``, ``forward``, ``reverse`` as
            ``module_utils/pairs/measure.py`` returns them.
        nodes: Both nodes are in it.
        limits: For all pairs alike.
    """
    client, server = measured["client"], measured["server"]
    ends = nodes[client], nodes[server]
    way = two_way(client, server)
    ping = measured["round_trip"]
    parts = (ping, measured["forward"], measured["reverse"])
    errors = list(dict.fromkeys(part["error"] for part in parts if part["error"]))
    most_ms = _least([node.round_trip_ms_max for node in ends])
    return [
        Seen(MEASURED, way, not errors, None, None, "; ".join(errors) or "measured"),
        _bandwidth(measured["forward"], one_way(client, server), ends, limits),
        _bandwidth(measured["reverse"], one_way(server, client), ends, limits),
        Seen(
            LOSS,
            way,
            _within(ping["loss_percent"], limits.loss_percent_max),
            ping["loss_percent"],
            limits.loss_percent_max,
            f"{ping['received']} of {ping['sent']} packets came back",
        ),
        Seen(
            ROUND_TRIP,
            way,
            _within(ping["p50_ms"], most_ms),
            ping["p50_ms"],
            most_ms,
            f"median {_short(ping['p50_ms'])} ms, p95 {_short(ping['p95_ms'])} ms",
        ),
    ]


def _bandwidth(
    transfer: Mapping[str, Any], path: Path, ends: Sequence[Node], limits: Limits
) -> Seen:
    rates = [node.rate_mbps for node in ends]
    # Where one end declares no rate, the other's alone says nothing of the path.
    rate = None if None in rates else _least(rates)
    limit = None if rate is None else limits.share_min * rate / 1000
    value = transfer["gbps"]
    ok = None if value is None or limit is None else value >= limit
    told = f"{_short(value)} Gb/s, {transfer['retransmits']} retransmits"
    cores = zip(path, (transfer["sender_cpu"], transfer["receiver_cpu"]), strict=True)
    busy = tuple(
        node for (node, _), cpu in cores if ok is False and (cpu or 0) >= BUSY_CORE_PERCENT
    )
    if busy:
        told += f", iperf3 used a whole core of {' and '.join(busy)}"
    return Seen(BANDWIDTH, path, ok, value, limit, told, busy)


def settle(first: Iterable[Seen], again: Iterable[Seen]) -> dict[tuple[str, Path], str]:
    """Return what each symptom on each path amounts to, after the retest.

    A path is `BAD` if both tests say so. One that could be tested only once is if the retest found
    another path of one of its ends bad, or none was retested; paths of which one test is good and
    one bad are `INTERMITTENT`. Where neither test had a value and a limit, there is no entry.
    """
    tests: dict[tuple[str, Path], list[bool]] = {}
    retested: dict[tuple[str, Path], bool] = {}
    for seen in first:
        if seen.ok is not None:
            tests.setdefault((seen.symptom, seen.path), []).append(seen.ok)
    for seen in again:
        if seen.ok is not None:
            tests.setdefault((seen.symptom, seen.path), []).append(seen.ok)
            retested[seen.symptom, seen.path] = seen.ok
    states = {}
    for key, results in tests.items():
        if all(results) or (key[0] == MEASURED and any(results)):
            states[key] = GOOD
        elif any(results):
            states[key] = INTERMITTENT
        else:
            states[key] = BAD if key in retested or _stands(key, retested) else INTERMITTENT
    return states


def _stands(key: tuple[str, Path], retested: Mapping[tuple[str, Path], bool]) -> bool:
    """Return whether a bad path that was not retested counts as bad.

    A suspect is retested with a few of its peers, and what they show holds for the others.
    """
    symptom, path = key
    beside = [
        ok for (other, there), ok in retested.items() if other == symptom and set(there) & set(path)
    ]
    return not beside or not all(beside)


def latest(first: Sequence[Measurement], again: Sequence[Measurement]) -> list[Measurement]:
    """Return the newest measurement of each pair."""
    newest = {frozenset((each["client"], each["server"])): each for each in [*first, *again]}
    return list(newest.values())


def _within(value: float | None, most: float | None) -> bool | None:
    return None if value is None or most is None else value <= most


def _least(values: Iterable[float | None]) -> float | None:
    return min((value for value in values if value is not None), default=None)


def _short(value: float | None) -> str:
    return "no" if value is None else f"{value:.3g}"
