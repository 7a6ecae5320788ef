"""Who pings whom to prove that packets of a zone's MTU arrive whole.

Each node pings the next of its zone, in a ring, so that n nodes cost n pings and every link
of every node is crossed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Interfaces = Mapping[str, Mapping[str, Any]]


def rings(
    nodes: Mapping[str, Interfaces], zones: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """Say which addresses each node has to reach, and with packets of which size.

    Args:
        nodes: node → ``node_interfaces``.
        zones: ``lab_zones``.

    Returns:
        Node → ``zone``, ``interface``, ``peer``, ``address``, ``mtu`` (bytes), for each zone and IP
        version that the node shares with another. The smaller of both ends' MTUs counts.
    """
    members = _members(nodes)
    after = {
        (place, name): names[(position + 1) % len(names)]
        for place, names in ((place, sorted(ends)) for place, ends in members.items())
        for position, name in enumerate(names)
    }
    found: dict[str, list[dict[str, Any]]] = {}
    for name, interfaces in nodes.items():
        targets = found.setdefault(name, [])
        for interface, of in (interfaces or {}).items():
            for key in _ADDRESSES:
                place = (of.get("zone"), key)
                if not of.get(key) or len(members.get(place, ())) < 2:
                    continue
                peer = after[place, name]
                end = members[place][peer]
                default = zones[str(place[0])].get("mtu") or 1500
                targets.append(
                    {
                        "zone": place[0],
                        "interface": interface,
                        "peer": peer,
                        "address": end[key],
                        "mtu": min(int(each.get("mtu") or default) for each in (of, end)),
                    }
                )
    return found


_ADDRESSES = ("address", "address6")
_Place = tuple[Any, str]


def _members(nodes: Mapping[str, Interfaces]) -> dict[_Place, dict[str, Mapping[str, Any]]]:
    """Zone and key of an address → node → the first interface of it there."""
    members: dict[_Place, dict[str, Mapping[str, Any]]] = {}
    for name, interfaces in nodes.items():
        for of in (interfaces or {}).values():
            for key in _ADDRESSES:
                if of.get("zone") is not None and of.get(key):
                    members.setdefault((of["zone"], key), {}).setdefault(name, of)
    return members
