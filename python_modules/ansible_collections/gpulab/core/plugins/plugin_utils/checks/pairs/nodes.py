"""Which nodes are measured with each other, at which addresses, and what is required of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..node_spec import node_spec

# Where training traffic runs, and where every node is managed.
FABRIC = "fabric"
MANAGEMENT = "management"

# iperf3 before 3.16 works in one thread: above this line rate the test needs several processes, or
# it would measure a core. Our proposal, to be calibrated.
MBPS_PER_PROCESS = 20_000
MOST_PROCESSES = 16


class PairsError(ValueError):
    """What is declared does not allow the measurement; the text names the key and the fix."""


@dataclass(frozen=True)
class Node:
    """A node that takes part.

    Attributes:
        address: Its address in the zone.
        interface: The interface that has it, or '' where none is declared.
        mac: That interface's MAC as declared, or ''.
        rate_mbps: Line rate of its link in Mb/s; None where none is declared.
        rate_source: The key that declares it, or ''.
        round_trip_ms_max: Longest median round trip; None where none is declared.
    """

    address: str
    interface: str = ""
    mac: str = ""
    rate_mbps: float | None = None
    rate_source: str = ""
    round_trip_ms_max: float | None = None

    @property
    def processes(self) -> int:
        """How many iperf3 processes its line rate needs."""
        return min(MOST_PROCESSES, math.ceil((self.rate_mbps or 1) / MBPS_PER_PROCESS))


def choose_zone(
    declared: Mapping[str, Any], variables: Mapping[str, Mapping[str, Any]], asked: str
) -> str:
    """Return the zone to measure in: `asked`, else fabric, else the one that most nodes share.

    Args:
        declared: ``lab_zones``.
        variables: ``node_interfaces`` of each node is used.
        asked: A zone's name, or ''.

    Returns:
        The name; '' where no zone is declared.

    Raises:
        PairsError: `asked` is not declared.
    """
    if asked:
        if asked not in declared:
            known = ", ".join(sorted(declared)) or "none"
            msg = f"pairs_zone: there is no zone {asked!r} in lab_zones; declared: {known}"
            raise PairsError(msg)
        return asked
    if FABRIC in declared or not declared:
        return FABRIC if declared else ""

    def rank(zone: str) -> tuple[int, bool]:
        there = sum(_interface(each, zone) is not None for each in variables.values())
        return there, zone == MANAGEMENT

    return max(sorted(declared), key=rank)


def members(
    variables: Mapping[str, Mapping[str, Any]],
    zones: Mapping[str, Any],
    zone: str,
) -> tuple[dict[str, Node], list[str]]:
    """Return the nodes with an address in the zone, and the names of those without one.

    Args:
        variables: By node; ``node_interfaces``, ``ansible_host`` and what `node_spec` reads are
            used.
        zones: ``lab_zones``.
        zone: From `choose_zone`; with '' a node is reached where Ansible reaches it.

    Raises:
        SpecError: a node's spec is not declared or malformed.
    """
    nodes: dict[str, Node] = {}
    outside = []
    for name, own in variables.items():
        found = _interface(own, zone) if zone else ("", {"address": own.get("ansible_host", name)})
        if found is None:
            outside.append(name)
            continue
        interface, body = found
        network = node_spec(own).requirements.get("network", {})
        rate, source = _rate(zones.get(zone) or {}, zone, network)
        nodes[name] = Node(
            address=str(body["address"]),
            interface=interface,
            mac=str(body.get("mac", "")),
            rate_mbps=rate,
            rate_source=source,
            round_trip_ms_max=network.get("round_trip_ms_max"),
        )
    return nodes, outside


def _interface(own: Mapping[str, Any], zone: str) -> tuple[str, Mapping[str, Any]] | None:
    for name, body in (own.get("node_interfaces") or {}).items():
        if body.get("zone") == zone and body.get("address"):
            return str(name), body
    return None


def _rate(zone: Mapping[str, Any], name: str, network: Mapping[str, Any]) -> tuple[Any, str]:
    if zone.get("speed_mbps"):
        return zone["speed_mbps"], f"lab_zones.{name}.speed_mbps"
    if network.get("speed_mbps_min"):
        return network["speed_mbps_min"], "network.speed_mbps_min of the node's hardware spec"
    return None, ""
