"""Addresses that questions ask about: of a node, of a zone's devices, of the outside."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from ..declaration.flow_ends import GATEWAYS, OUTSIDE
from ..declaration.suggest import did_you_mean
from .endpoints import Ends
from .policy import Address, Network, PolicyError

# Name servers that everybody knows stand for the outside; a lab that has one of them in a zone of
# its own gets the next.
_STRANGERS = ("1.1.1.1", "8.8.8.8", "9.9.9.9", "2606:4700:4700::1111", "2001:4860:4860::8888")


def points(ends: Ends, asked: str) -> tuple[Address, ...]:
    """Return the addresses that a word of a question means.

    Args:
        ends: the policy's ends.
        asked: an address, ``node``, ``node@zone``, ``outside``, or a zone: then an address in it
            that no node and no gateway has, as a device would.

    Raises:
        PolicyError: it means none; the text names what is nearest.
    """
    literal = _literal(asked)
    if literal:
        return (literal,)
    policy = ends.policy
    if asked == OUTSIDE:
        return public_addresses(ends)
    if asked in policy.zones:
        return devices(ends, asked)
    name, _, zone = asked.partition("@")
    if zone and zone not in policy.zones:
        msg = f"there is no zone '{zone}': {did_you_mean(zone, policy.zones)}"
        raise PolicyError(msg)
    if name in policy.nodes:
        found = tuple(address for address, _ in ends.end(asked).addresses)
        if found:
            return found
        where = f"in zone '{zone}'" if zone else "in its node_interfaces"
        msg = f"{name} has no address {where}"
        raise PolicyError(msg)
    members = ends.end(name).machines
    if members:
        msg = f"'{name}' is a group: ask about one of its machines, such as {members[0]}"
        raise PolicyError(msg)
    known = {*policy.zones, *policy.nodes, OUTSIDE}
    msg = f"there is no machine and no zone '{name}': {did_you_mean(name, known)}"
    raise PolicyError(msg)


def public_addresses(ends: Ends) -> tuple[Address, ...]:
    """Return an IPv4 and an IPv6 address that are in no zone."""
    given = [ipaddress.ip_address(stranger) for stranger in _STRANGERS]
    outside = [address for address in given if not ends.zone_of(address)]
    return tuple(
        next(address for address in outside if address.version == family) for family in (4, 6)
    )


def devices(ends: Ends, zone: str) -> tuple[Address, ...]:
    """Return for each network of a zone an address that is no node's and no gateway's."""
    gateways = {address for address, _ in ends.end(GATEWAYS).addresses}
    taken = gateways | ends.owner.keys()
    free = (_free(network, taken) for network in ends.policy.zones[zone].networks)
    return tuple(address for address in free if address)


def _free(network: Network, taken: Iterable[Address]) -> Address | None:
    known = frozenset(taken)
    return next((address for address in _from_the_end(network) if address not in known), None)


def _from_the_end(network: Network) -> Iterator[Address]:
    # Of IPv4, the last address is the broadcast address, and the first is the network's own.
    spare = 1 if network.version == 4 and network.num_addresses > 2 else 0
    for number in range(1 + spare, network.num_addresses - spare + 1):
        yield network[-number]


def _literal(asked: str) -> Address | None:
    try:
        return ipaddress.ip_address(asked)
    except ValueError:
        return None
