"""Who pings whom to prove that packets of a zone's MTU arrive whole.

Each node pings the next of its zone, in a ring, so that n nodes cost n pings and every link
of every node is crossed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def ring(
    name: str,
    nodes: Mapping[str, Mapping[str, Mapping[str, Any]]],
    zones: Mapping[str, Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Say which addresses a node has to reach, and with packets of which size.

    Args:
        name: the machine.
        nodes: node → ``node_interfaces``, of all machines.
        zones: ``lab_zones``.

    Returns:
        ``zone``, ``interface``, ``peer``, ``address``, ``mtu`` (bytes), for each zone and IP
        version that the node shares with another. The smaller of both ends' MTUs counts.
    """
    found = []
    for interface, of in (nodes.get(name) or {}).items():
        zone = of.get("zone")
        for key in ("address", "address6"):
            others = _members(nodes, zone, key)
            if not of.get(key) or len(others) < 2:
                continue
            names = sorted(others)
            peer = names[(names.index(name) + 1) % len(names)]
            default = zones[str(zone)].get("mtu") or 1500
            mtu = min(int(end.get("mtu") or default) for end in (of, others[peer]))
            found.append(
                {
                    "zone": zone,
                    "interface": interface,
                    "peer": peer,
                    "address": others[peer][key],
                    "mtu": mtu,
                }
            )
    return found


def _members(
    nodes: Mapping[str, Mapping[str, Mapping[str, Any]]], zone: object, key: str
) -> dict[str, Mapping[str, Any]]:
    members: dict[str, Mapping[str, Any]] = {}
    for name, interfaces in nodes.items():
        for of in (interfaces or {}).values():
            if zone is not None and of.get("zone") == zone and of.get(key):
                members.setdefault(name, of)
    return members
