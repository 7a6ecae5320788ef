"""The plan of a measurement as a plain document, which Ansible carries from task to task."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .nodes import Node
from .schedule import Pair, Round, estimate_s

# In seconds that are told in minutes from here on.
_MINUTES_FROM = 120


def document(
    zone: str,
    nodes: Mapping[str, Node],
    rounds: Sequence[Round],
    test_s: float,
    *,
    again: bool = False,
) -> dict[str, Any]:
    """Return ``zone``, ``nodes``, ``rounds``, ``estimate_s``; see plugins/modules/pair_plan.py.

    Args:
        zone: Where it is measured, or ''.
        nodes: Those that take part.
        rounds: Rounds of (client, server).
        test_s: Seconds of one pair's test.
        again: Whether it is the retest.
    """
    return {
        "zone": zone,
        "nodes": {
            name: {**dataclasses.asdict(node), "processes": node.processes}
            for name, node in nodes.items()
        },
        "rounds": [
            {client: _test(nodes, client, server, again=again) for client, server in r}
            for r in rounds
        ],
        "estimate_s": estimate_s(len(rounds), test_s),
    }


def read(plan: Mapping[str, Any]) -> tuple[str, dict[str, Node], list[Pair]]:
    """Return zone, nodes and the pairs of all rounds from such a document."""
    fields = [field.name for field in dataclasses.fields(Node)]
    nodes = {
        str(name): Node(**{field: body[field] for field in fields})
        for name, body in plan["nodes"].items()
    }
    pairs = [
        (str(test["client"]), str(test["server"])) for r in plan["rounds"] for test in r.values()
    ]
    return str(plan["zone"]), nodes, pairs


def told(plan: Mapping[str, Any], outside: Iterable[str]) -> list[str]:
    """Return what a person should know before it starts, a line each."""
    zone, nodes, rounds = plan["zone"], plan["nodes"], len(plan["rounds"])
    where = (
        f"in zone {zone}" if zone else "at the addresses that Ansible uses (no zone is declared)"
    )
    left_out = ", ".join(sorted(outside))
    lines = [f"Not measured, because they have no address in zone {zone}: {left_out}"]
    lines = lines if left_out else []
    if len(nodes) < 2:
        return [
            *lines,
            f"Node pairs: skipped, {len(nodes)} of the run's nodes is {where}; it takes two.",
        ]
    seconds = plan["estimate_s"]
    span = f"{seconds:.0f} s" if seconds < _MINUTES_FROM else f"{seconds / 60:.0f} min"
    pairs = sum(len(each) for each in plan["rounds"])
    lines.append(
        f"Node pairs: {pairs} pairs of {len(nodes)} nodes {where}, {rounds} rounds, about {span}."
    )
    silent = sorted(name for name, node in nodes.items() if node["rate_mbps"] is None)
    if silent:
        lines.append(
            f"Their bandwidth is reported and not judged, because no line rate is declared "
            f"(speed_mbps of the zone, or network.speed_mbps_min of the spec): {', '.join(silent)}"
        )
    return lines


def _test(nodes: Mapping[str, Node], client: str, server: str, *, again: bool) -> dict[str, Any]:
    ours, theirs = nodes[client], nodes[server]
    return {
        "client": client,
        "server": server,
        "again": again,
        "address": theirs.address,
        "source": ours.address,
        # Of two link rates the lower one is the pair's.
        "processes": min(ours.processes, theirs.processes),
    }
