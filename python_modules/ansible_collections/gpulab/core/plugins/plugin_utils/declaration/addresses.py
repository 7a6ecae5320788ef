"""Read networks and addresses, and say what is wrong with one."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Union

from .model import Path, Problem, Value, show, text

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

IP_VERSIONS = {
    "cidr": 4,
    "cidr6": 6,
    "address": 4,
    "address6": 6,
    "gateway": 4,
    "gateway6": 6,
}
#: The key of a zone's network, by IP version.
NETWORK_KEYS = {4: "cidr", 6: "cidr6"}


def parse_network(value: Value) -> Network | None:
    """Read a network; None when it is none, or has host bits or no prefix length."""
    try:
        return ipaddress.ip_network(value) if "/" in text(value) else None
    except ValueError:
        return None


def parse_address(value: Value) -> Address | None:
    """Read an address; None when it is none, or names an interface (``fe80::1%eno1``)."""
    try:
        return ipaddress.ip_address(text(value)) if "%" not in text(value) else None
    except ValueError:
        return None


def on_every_link(address: Address) -> bool:
    """Whether an address is of no network but of each link: fe80::/10, as routers call themselves.

    RFC 4861, section 6.1.2: a router advertises itself by such an address. IPv4's 169.254.0.0/16
    is none that anybody routes by.
    """
    return address.version == 6 and address.is_link_local


def network_mistake(given: str, example: str) -> tuple[str, str]:
    """Say what is wrong with a network that `parse_network` does not read, and what is right."""
    try:
        meant = ipaddress.ip_network(given, strict=False)
    except ValueError:
        right = f"an address and a prefix length, for example {example}"
        return f"{show(given)} is not a network", right
    if "/" not in given:
        length = 24 if meant.version == 4 else 64
        right = f"add how many bits the network has, for example {given}/{length}"
        return f"{show(given)} has no prefix length", right
    return f"{show(given)} is an address in a network", f"write {meant}"


def address_mistake(owner: str, path: Path, given: str, version: int) -> Iterator[Problem]:
    """Report an address that is none, or of the other version."""
    address = parse_address(given)
    if address is None or address.version != version:
        bare = given.partition("/")[0].partition("%")[0]
        usable = bare != given and parse_address(bare) is not None
        right = f"write {bare}" if usable else f"an IPv{version} address without a prefix length"
        yield Problem(owner, path, f"{show(given)} is not an IPv{version} address", right)


def misplaced(address: Address, network: Network, zone: str) -> Iterator[str]:
    """Say why no node can have an address in a zone's network."""
    if address not in network:
        yield f"{address} is outside zone '{zone}' ({network})"
    elif network.version == 4 and network.num_addresses > 2:
        if address == network.network_address:
            yield f"{address} is the network's own address in zone '{zone}' ({network})"
        elif address == network.broadcast_address:
            yield f"{address} is the broadcast address of zone '{zone}' ({network})"
