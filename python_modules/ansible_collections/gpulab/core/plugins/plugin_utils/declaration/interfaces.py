"""Check a node's interfaces: zones, addresses and packet sizes; links.py has the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .addresses import IP_VERSIONS, NETWORK_KEYS, address_mistake, misplaced, parse_address
from .model import Host, Path, Problem, mapping, text, whole
from .suggest import did_you_mean
from .zones import Zone

MANAGEMENT = "management"
Interfaces = dict[str, dict[Any, Any]]


def interfaces_of(host: Host) -> Interfaces:
    """The node's interfaces by name, in the order in which they are declared."""
    found = mapping(host.variables.get("node_interfaces"))
    return {str(name): mapping(body) for name, body in found.items()}


def is_managed(body: Mapping[Any, Any]) -> bool:
    """Say whether gpulab makes and sets an interface, and not somebody else on the node."""
    return body.get("managed") is not False


def interface_problems(host: Host, zones: Mapping[str, Zone]) -> Iterator[Problem]:
    """Check the zones, addresses and packet sizes of one node's interfaces."""
    interfaces = interfaces_of(host)
    attached = {text(body.get("zone")) for body in interfaces.values()} & zones.keys()
    managed: list[str] = []
    for name, body in sorted(interfaces.items()):
        at: Path = ("node_interfaces", name)
        zone = zones.get(text(body.get("zone")))
        if zone is None:
            if isinstance(body.get("zone"), str):
                wrong = f"there is no zone '{body['zone']}'"
                yield Problem(host.name, (*at, "zone"), wrong, did_you_mean(body["zone"], zones))
        elif zone.name == MANAGEMENT:
            managed.append(name)
        for key in ("address", "address6"):
            if isinstance(body.get(key), str):
                yield from _address(host.name, (*at, key), body[key], zone, len(attached) > 1)
        mtu = whole(body.get("mtu"))
        if zone is not None and mtu is not None and mtu > zone.mtu:
            wrong = f"MTU {mtu} is above the {zone.mtu} of zone '{zone.name}'"
            right = f"at most {zone.mtu}, or raise lab_zones.{zone.name}.mtu if its switches can"
            yield Problem(host.name, (*at, "mtu"), wrong, right)
    for name in managed[1:]:
        wrong = f"'{managed[0]}' is already in zone '{MANAGEMENT}'"
        right = "one interface per machine in that zone: its address is how the machine is reached"
        yield Problem(host.name, ("node_interfaces", name, "zone"), wrong, right)


def _address(
    owner: str, path: Path, given: str, zone: Zone | None, may_route: bool
) -> Iterator[Problem]:
    version = IP_VERSIONS[str(path[-1])]
    address = parse_address(given)
    if address is None or address.version != version:
        yield from address_mistake(owner, path, given, version)
        return
    if zone is None:
        return
    network = zone.networks.get(NETWORK_KEYS[version])
    if network is None:
        if version == 6:
            right = f"add lab_zones.{zone.name}.cidr6, or leave address6 out"
            yield Problem(owner, path, f"zone '{zone.name}' has no IPv6 network", right)
        return
    for wrong in misplaced(address, network, zone.name):
        yield Problem(owner, path, wrong, f"an address inside {network}")
    # A node with a leg in several zones may be the router itself.
    if address in zone.gateways.values() and not may_route:
        right = f"another address inside {network}"
        yield Problem(owner, path, f"{address} is the gateway of zone '{zone.name}'", right)
