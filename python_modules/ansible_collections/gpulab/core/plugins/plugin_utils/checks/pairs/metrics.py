"""The numbers of a node's pairs, for its record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .observe import Measurement


def metrics_of(name: str, measurements: Sequence[Measurement]) -> list[dict[str, Any]]:
    """Return the metrics of one node, one set per peer and ``network.bandwidth``.

    Args:
        name: The node.
        measurements: The newest one of each pair.

    Returns:
        For each peer: ``pair.bandwidth`` (Gb/s that the peer received from this node),
        ``pair.retransmits`` (TCP segments, while this node sent), ``pair.round_trip`` (ms; the
        value is the median) and ``pair.loss`` (% of the packets). ``network.bandwidth`` is the
        least of all its pairs, in either direction. What was not measured is null.
    """
    metrics: list[dict[str, Any]] = []
    rates: list[float | None] = []
    for measured in sorted(measurements, key=lambda m: (m["client"], m["server"])):
        if name not in (measured["client"], measured["server"]):
            continue
        out, back = measured["forward"], measured["reverse"]
        peer = measured["server"]
        if name == peer:
            out, back, peer = back, out, measured["client"]
        ping, scope = measured["round_trip"], f"peer:{peer}"
        rates += [out["gbps"], back["gbps"]]
        metrics += [
            _metric("pair.bandwidth", scope, out["gbps"], "Gb/s"),
            _metric("pair.retransmits", scope, out["retransmits"], "segments"),
            {
                **_metric("pair.round_trip", scope, ping["p50_ms"], "ms"),
                "n": ping["received"],
                "p50": ping["p50_ms"],
                "p95": ping["p95_ms"],
            },
            {**_metric("pair.loss", scope, ping["loss_percent"], "%"), "n": ping["sent"]},
        ]
    known = [rate for rate in rates if rate is not None]
    least = min(known) if known and len(known) == len(rates) else None
    worst = {**_metric("network.bandwidth", "node", least, "Gb/s"), "n": len(known)}
    return [*metrics, worst] if rates else []


def _metric(name: str, scope: str, value: float | None, unit: str) -> dict[str, Any]:
    return {"id": name, "scope": scope, "value": value, "unit": unit}
