"""Which interfaces a node's default routes go over: preflight and the role network ask here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .addresses import parse_address
from .model import mapping, text

#: Key of a zone's router → key of an interface's address of that family.
ADDRESS_OF = {"gateway": "address", "gateway6": "address6"}


def default_routes(
    interfaces: Mapping[str, Mapping[str, Any]], zones: Mapping[str, Any]
) -> dict[str, str]:
    """Name the interfaces whose zones' gateways are a node's default routes.

    Args:
        interfaces: ``node_interfaces``, in the order in which they are declared.
        zones: ``lab_zones``.

    Returns:
        ``gateway`` (IPv4) and ``gateway6``, each where there is one → the interface with
        ``gateway: true``; where none says so, the first one that has a router and does not say
        ``gateway: false``. IPv4 and IPv6 may leave by different ones.
    """
    chosen = [name for name, body in interfaces.items() if body.get("gateway") is True]
    found = {}
    for key in ADDRESS_OF:
        able = [
            name
            for name, body in interfaces.items()
            if body.get("gateway") is not False
            and key in routers(body, mapping(zones.get(text(body.get("zone")))))
            and (not chosen or name in chosen)
        ]
        if able:
            found[key] = able[0]
    return found


def routers(body: Mapping[str, Any], zone: Mapping[str, Any]) -> set[str]:
    """Give the keys of the zone's gateways that an interface can send to.

    It needs an address of their family, and a node that is the gateway itself has none there.
    """
    return {
        key
        for key, own in ADDRESS_OF.items()
        if zone.get(key) and body.get(own) and parse_address(zone[key]) != parse_address(body[own])
    }
