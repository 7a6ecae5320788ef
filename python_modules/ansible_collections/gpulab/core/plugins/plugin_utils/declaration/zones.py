"""Check zones: their networks, routers, tags, and who masquerades."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .addresses import (
    IP_VERSIONS,
    NETWORK_KEYS,
    Address,
    Network,
    address_mistake,
    misplaced,
    network_mistake,
    on_every_link,
    parse_address,
    parse_network,
)
from .claims import Claim, conflicts
from .model import Declaration, Path, Problem, mapping, sequence, show, text, whole
from .suggest import did_you_mean

ETHERNET_MTU = 1500  # IEEE 802.3, what a link carries when nobody says otherwise
EXAMPLES = {"cidr": "10.20.0.0/24", "cidr6": "fd12:3456:789a:1::/64"}


@dataclass(frozen=True)
class Zone:
    """A zone as far as it could be read.

    Attributes:
        name: its key in ``lab_zones``.
        networks: by their key, ``cidr`` or ``cidr6``.
        mtu: bytes.
        gateways: its routers by their key, ``gateway`` or ``gateway6``.
        vlan: its tag; None without one.
        outside: whether its nodes may reach addresses outside the lab.
    """

    name: str
    networks: dict[str, Network]
    mtu: int
    gateways: dict[str, Address]
    vlan: int | None
    outside: bool


def read_zones(declaration: Declaration) -> dict[str, Zone]:
    """Read the zones by name, in the order of their names."""
    return {
        name: _read_zone(name, mapping(body))
        for name, body in sorted(mapping(declaration.lab.get("lab_zones")).items(), key=str)
        if isinstance(name, str)
    }


def _read_zone(name: str, body: dict[str, Any]) -> Zone:
    networks = {}
    for key in ("cidr", "cidr6"):
        network = parse_network(body.get(key))
        if network is not None and network.version == IP_VERSIONS[key]:
            networks[key] = network
    gateways = {}
    for key in ("gateway", "gateway6"):
        address = parse_address(body.get(key))
        if address is not None and address.version == IP_VERSIONS[key]:
            gateways[key] = address
    outside = body.get("outside")
    return Zone(
        name,
        networks,
        whole(body.get("mtu")) or ETHERNET_MTU,
        gateways,
        whole(body.get("vlan")),
        outside if isinstance(outside, bool) else bool(gateways),
    )


def zone_problems(declaration: Declaration, zones: dict[str, Zone]) -> Iterator[Problem]:
    """Check the zones one by one, and against each other and the machines."""
    bodies = mapping(declaration.lab.get("lab_zones"))
    for name, zone in zones.items():
        body = mapping(bodies[name])
        if body.get("cidr") == "":
            # A sandbox that is not up: its other addresses are missing for the same reason.
            yield _bad_network(name, "cidr", "")
            continue
        for key in ("cidr", "cidr6"):
            if isinstance(body.get(key), str) and key not in zone.networks:
                yield _bad_network(name, key, body[key])
        for key in ("gateway", "gateway6"):
            if isinstance(body.get(key), str):
                yield from _gateway(zone, key, body[key])
        yield from _masquerade(declaration, zone, mapping(body.get("masquerade")), zones)
    yield from _overlaps(zones)
    for key, shown, right in (
        ("vlan", "VLAN", "give each zone a VLAN tag of its own"),
        ("pkey", "partition key", "give each zone a partition key of its own"),
    ):
        claims = [
            Claim(body[key], "", ("lab_zones", name, key), f"{shown} {body[key]}")
            for name, body in ((name, mapping(bodies[name])) for name in zones)
            if whole(body.get(key)) is not None
        ]
        yield from conflicts(claims, right)


def _overlaps(zones: dict[str, Zone]) -> Iterator[Problem]:
    for key in ("cidr", "cidr6"):
        for one, other in itertools.combinations(zones.values(), 2):
            mine, theirs = one.networks.get(key), other.networks.get(key)
            if mine is not None and theirs is not None and mine.overlaps(theirs):
                wrong = f"{theirs} overlaps zone '{one.name}' ({mine})"
                path = ("lab_zones", other.name, key)
                yield Problem("", path, wrong, "give each zone a network that no other zone uses")


def _bad_network(zone: str, key: str, given: str) -> Problem:
    path = ("lab_zones", zone, key)
    if not given:
        right = f"your network, for example {EXAMPLES[key]} (the sandbox gets its own from "
        return Problem("", path, "the zone has no network", f"{right}`make up`)")
    network = parse_network(given)
    if network is not None:
        right = f"an IPv{IP_VERSIONS[key]} network here, the IPv{network.version} one under "
        right += NETWORK_KEYS[network.version]
        return Problem("", path, f"{show(given)} is an IPv{network.version} network", right)
    return Problem("", path, *network_mistake(given, EXAMPLES[key]))


def _gateway(zone: Zone, key: str, given: str) -> Iterator[Problem]:
    path: Path = ("lab_zones", zone.name, key)
    network = zone.networks.get(NETWORK_KEYS[IP_VERSIONS[key]])
    address = zone.gateways.get(key)
    if address is None:
        yield from address_mistake("", path, given, IP_VERSIONS[key])
    elif network is not None and not on_every_link(address):
        for wrong in misplaced(address, network, zone.name):
            yield Problem("", path, wrong, f"the router's address inside {network}")
    elif network is None and key == "gateway6":
        right = f"add lab_zones.{zone.name}.cidr6, or leave gateway6 out"
        yield Problem("", path, f"zone '{zone.name}' has no IPv6 network", right)


def _masquerade(
    declaration: Declaration, zone: Zone, given: dict[str, Any], zones: dict[str, Zone]
) -> Iterator[Problem]:
    at: Path = ("lab_zones", zone.name, "masquerade")
    machines = {host.name: host for host in declaration.hosts}
    by = text(given.get("by"))
    attached: set[str] | None = None
    if by and by not in machines:
        wrong = f"there is no machine '{by}'"
        yield Problem("", (*at, "by"), wrong, did_you_mean(by, machines))
    elif by:
        attached = {
            text(mapping(body).get("zone"))
            for body in mapping(machines[by].variables.get("node_interfaces")).values()
        }
        if zone.name not in attached:
            wrong = f"{by} has no interface in zone '{zone.name}'"
            right = "a machine with an interface in this zone: what leaves gets its address here"
            yield Problem("", (*at, "by"), wrong, right)
    for number, served in enumerate(map(text, sequence(given.get("for")))):
        path = (*at, "for", number)
        if served == zone.name:
            right = "the zones behind the machine; in its own zone nothing needs another address"
            yield Problem("", path, f"'{served}' is this zone itself", right)
        elif served and served not in zones:
            yield Problem("", path, f"there is no zone '{served}'", did_you_mean(served, zones))
        elif served and attached is not None and served not in attached:
            right = f"add that interface to node_interfaces of {by}, or leave the zone out"
            yield Problem("", path, f"{by} has no interface in zone '{served}'", right)
