"""Check zones, flows, interfaces and BMC addresses against each other."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Union

from ansible_collections.gpulab.core.plugins.module_utils.declaration.claims import (
    Claim,
    conflicts,
)
from ansible_collections.gpulab.core.plugins.module_utils.declaration.model import (
    Declaration,
    Host,
    Path,
    Problem,
    Value,
    mapping,
    sequence,
    show,
    text,
    whole,
)
from ansible_collections.gpulab.core.plugins.module_utils.declaration.suggest import did_you_mean

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

ETHERNET_MTU = 1500  # IEEE 802.3, what a link carries when nobody says otherwise
MANAGEMENT = "management"
LAST_PORT = 65535
IP_VERSIONS = {"cidr": 4, "cidr6": 6, "address": 4, "address6": 6}


@dataclass(frozen=True)
class Zone:
    """A zone as far as it could be read: networks by their key (``cidr``, ``cidr6``), and MTU."""

    name: str
    networks: dict[str, Network]
    mtu: int
    gateway: Address | None


def network_problems(declaration: Declaration) -> list[Problem]:
    """Check everything that has to do with the lab's networks."""
    zones = {
        name: _read_zone(name, mapping(body))
        for name, body in sorted(mapping(declaration.lab.get("lab_zones")).items(), key=str)
        if isinstance(name, str)
    }
    problems = list(_zones(declaration, zones))
    problems += _flows(declaration, zones)
    if "lab_zones" in declaration.lab:
        for host in declaration.by_name():
            problems += _interfaces(host, zones)
            problems += _bmc(host, zones)
    elif any(mapping(host.variables.get("node_interfaces")) for host in declaration.hosts):
        right = "declare the zones that node_interfaces refers to, each with its cidr"
        problems.append(Problem("", ("lab_zones",), "this key is missing", right))
    right = "give each interface and each BMC an address of its own"
    problems += conflicts(_address_claims(declaration), right)
    return problems


def parse_network(value: Value) -> Network | None:
    """Read a network; None when it is none, or has host bits or no prefix length."""
    try:
        return ipaddress.ip_network(value) if "/" in text(value) else None
    except ValueError:
        return None


def parse_address(value: Value) -> Address | None:
    """Read an address; None when it is none."""
    try:
        return ipaddress.ip_address(text(value))
    except ValueError:
        return None


def _read_zone(name: str, body: dict[str, Any]) -> Zone:
    networks = {}
    for key in ("cidr", "cidr6"):
        network = parse_network(body.get(key))
        if network is not None and network.version == IP_VERSIONS[key]:
            networks[key] = network
    return Zone(
        name, networks, whole(body.get("mtu")) or ETHERNET_MTU, parse_address(body.get("gateway"))
    )


def _zones(declaration: Declaration, zones: dict[str, Zone]) -> Iterator[Problem]:
    bodies = mapping(declaration.lab.get("lab_zones"))
    for name, zone in zones.items():
        body = mapping(bodies[name])
        for key in ("cidr", "cidr6"):
            if isinstance(body.get(key), str) and key not in zone.networks:
                yield _bad_network(name, key, body[key])
        if isinstance(body.get("gateway"), str):
            yield from _gateway(zone, body["gateway"])
    for key in ("cidr", "cidr6"):
        for one, other in itertools.combinations(zones.values(), 2):
            mine, theirs = one.networks.get(key), other.networks.get(key)
            if mine is not None and theirs is not None and mine.overlaps(theirs):
                wrong = f"{theirs} overlaps zone '{one.name}' ({mine})"
                path = ("lab_zones", other.name, key)
                yield Problem("", path, wrong, "give each zone a network that no other zone uses")
    vlans = [
        Claim(body["vlan"], "", ("lab_zones", name, "vlan"), f"VLAN {body['vlan']}")
        for name, body in ((name, mapping(bodies[name])) for name in zones)
        if whole(body.get("vlan")) is not None
    ]
    yield from conflicts(vlans, "give each zone a VLAN tag of its own")


def _bad_network(zone: str, key: str, given: str) -> Problem:
    path = ("lab_zones", zone, key)
    version = IP_VERSIONS[key]
    example = "10.20.0.0/24" if version == 4 else "fd12:3456:789a:1::/64"
    if not given:
        right = f"your network, for example {example} (the sandbox gets its own from `make up`)"
        return Problem("", path, "the zone has no network", right)
    try:
        meant = ipaddress.ip_network(given, strict=False)
    except ValueError:
        right = f"an address and a prefix length, for example {example}"
        return Problem("", path, f"{show(given)} is not a network", right)
    if meant.version != version:
        right = f"an IPv{version} network here, the IPv{meant.version} one under "
        right += "cidr6" if version == 4 else "cidr"
        return Problem("", path, f"{show(given)} is an IPv{meant.version} network", right)
    if "/" not in given:
        right = (
            f"add how many bits the network has, for example {given}/{24 if version == 4 else 64}"
        )
        return Problem("", path, f"{show(given)} has no prefix length", right)
    return Problem("", path, f"{show(given)} is an address in a network", f"write {meant}")


def _gateway(zone: Zone, given: str) -> Iterator[Problem]:
    path = ("lab_zones", zone.name, "gateway")
    network = zone.networks.get("cidr")
    if zone.gateway is None:
        yield Problem("", path, f"{show(given)} is not an address", "an IPv4 address, no prefix")
    elif network is not None:
        for wrong in _outside(zone.gateway, network, zone.name):
            yield Problem("", path, wrong, f"the router's address inside {network}")


def _flows(declaration: Declaration, zones: dict[str, Zone]) -> Iterator[Problem]:
    ends = {*zones, *declaration.groups, *(host.name for host in declaration.hosts)}
    networks_known = "lab_zones" in declaration.lab
    names = []
    for number, flow in enumerate(map(mapping, sequence(declaration.lab.get("lab_flows")))):
        at: Path = ("lab_flows", number)
        if text(flow.get("name")):
            names.append(Claim(flow["name"], "", (*at, "name"), f"the name '{flow['name']}'"))
        for key in ("from", "to"):
            # With no zone declared yet (a sandbox that is not up) there is nothing to compare.
            if networks_known and isinstance(flow.get(key), str) and flow[key] not in ends:
                wrong = f"there is no zone, group or node '{flow[key]}'"
                yield Problem("", (*at, key), wrong, did_you_mean(flow[key], ends))
        if flow.get("protocol") == "icmp" and "ports" in flow:
            right = "leave 'ports' out, or name the protocol tcp or udp"
            yield Problem("", (*at, "ports"), "icmp has no ports", right)
        if flow.get("protocol") in ("tcp", "udp") and "ports" not in flow:
            right = "list the destination ports, for example [443]"
            yield Problem("", (*at, "ports"), f"a {flow['protocol']} flow names no ports", right)
        for place, port in enumerate(sequence(flow.get("ports"))):
            yield from _port_range((*at, "ports", place), port)
    yield from conflicts(names, "give each flow a name of its own")


def _port_range(path: Path, port: Value) -> Iterator[Problem]:
    low, dash, high = text(port).partition("-")
    if not (dash and low.isdecimal() and high.isdecimal() and port.isascii()):
        return
    first, last = int(low), int(high)
    if not 1 <= first <= LAST_PORT or not 1 <= last <= LAST_PORT:
        yield Problem(
            "", path, f"{show(port)} leaves the range of ports", f"ports 1 to {LAST_PORT}"
        )
    elif first > last:
        right = f'write "{last}-{first}"'
        yield Problem("", path, f"{show(port)} ends before it starts", right)


def _interfaces(host: Host, zones: dict[str, Zone]) -> Iterator[Problem]:
    managed: list[str] = []
    for name, body in _interface_items(host):
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
                yield from _interface_address(host.name, (*at, key), body[key], zone)
        mtu = whole(body.get("mtu"))
        if zone is not None and mtu is not None and mtu > zone.mtu:
            wrong = f"MTU {mtu} is above the {zone.mtu} of zone '{zone.name}'"
            right = f"at most {zone.mtu}, or raise lab_zones.{zone.name}.mtu if its switches can"
            yield Problem(host.name, (*at, "mtu"), wrong, right)
    for name in managed[1:]:
        wrong = f"'{managed[0]}' is already in zone '{MANAGEMENT}'"
        right = "one interface per machine in that zone: its address is how the machine is reached"
        yield Problem(host.name, ("node_interfaces", name, "zone"), wrong, right)


def _interface_address(owner: str, path: Path, given: str, zone: Zone | None) -> Iterator[Problem]:
    key = str(path[-1])
    version = IP_VERSIONS[key]
    address = parse_address(given)
    if address is None or address.version != version:
        bare = given.partition("/")[0]
        usable = "/" in given and parse_address(bare) is not None
        right = f"write {bare}" if usable else f"an IPv{version} address without a prefix length"
        yield Problem(owner, path, f"{show(given)} is not an IPv{version} address", right)
        return
    if zone is None:
        return
    network = zone.networks.get("cidr" if version == 4 else "cidr6")
    if network is None:
        if version == 6:
            right = f"add lab_zones.{zone.name}.cidr6, or leave address6 out"
            yield Problem(owner, path, f"zone '{zone.name}' has no IPv6 network", right)
        return
    for wrong in _outside(address, network, zone.name):
        yield Problem(owner, path, wrong, f"an address inside {network}")
    if address == zone.gateway:
        right = f"another address inside {network}"
        yield Problem(owner, path, f"{address} is the gateway of zone '{zone.name}'", right)


def _outside(address: Address, network: Network, zone: str) -> Iterator[str]:
    if address not in network:
        yield f"{address} is outside zone '{zone}' ({network})"
    elif network.version == 4 and network.num_addresses > 2:
        if address == network.network_address:
            yield f"{address} is the network's own address in zone '{zone}' ({network})"
        elif address == network.broadcast_address:
            yield f"{address} is the broadcast address of zone '{zone}' ({network})"


def _bmc(host: Host, zones: dict[str, Zone]) -> Iterator[Problem]:
    given = mapping(host.variables.get("node_bmc")).get("address")
    if not isinstance(given, str):
        return
    path = ("node_bmc", "address")
    address = parse_address(given)
    if address is None:
        right = "an IP address without a prefix length"
        yield Problem(host.name, path, f"{show(given)} is not an IP address", right)
    elif not address.is_loopback:  # An emulated BMC may listen on the controller itself.
        networks = [network for zone in zones.values() for network in zone.networks.values()]
        if networks and not any(address in network for network in networks):
            right = "the BMC's address inside the zone that it is cabled to"
            yield Problem(host.name, path, f"{address} is in no zone", right)


def _interface_items(host: Host) -> list[tuple[str, dict[Any, Any]]]:
    found = mapping(host.variables.get("node_interfaces"))
    return sorted((str(name), mapping(body)) for name, body in found.items())


def _address_claims(declaration: Declaration) -> Iterator[Claim]:
    for host in declaration.by_name():
        for name, body in _interface_items(host):
            for key in ("address", "address6"):
                if address := parse_address(body.get(key)):
                    path: Path = ("node_interfaces", name, key)
                    yield Claim(address, host.name, path, str(address))
        address = parse_address(mapping(host.variables.get("node_bmc")).get("address"))
        if address and not address.is_loopback:
            yield Claim(address, host.name, ("node_bmc", "address"), str(address))
