"""All of who may reach whom: addresses that every flow treats alike are one member."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ..declaration.flow_ends import GATEWAYS, OUTSIDE
from .endpoints import End, Ends
from .policy import Address, Flow, Policy
from .query_addresses import devices, public_addresses


@dataclass(frozen=True)
class Member:
    """Addresses that may reach, and may be reached by, the same.

    Attributes:
        zones: where they are; empty for the outside.
        machines: whose they are; empty for devices and for the outside.
        what: what they are when they are no node's: ``devices``, ``outside``, ``gateway``.
        addresses: the addresses; of devices and of the outside, one that stands for all.
    """

    zones: tuple[str, ...]
    machines: tuple[str, ...]
    what: str
    addresses: tuple[Address, ...]


@dataclass(frozen=True)
class Matrix:
    """Who may reach whom: a flow is in `answers` at (row, column) when it lets that through."""

    members: tuple[Member, ...]
    answers: dict[tuple[int, int], tuple[Flow, ...]]


@dataclass
class _Class:
    """Addresses of one zone that are in the same ends."""

    zone: str
    what: str
    starts: frozenset[int]
    arrives: frozenset[int]
    addresses: list[Address] = field(default_factory=list)
    machines: set[str] = field(default_factory=set)


def matrix(policy: Policy) -> Matrix:
    """Ask every address of the lab about every other one, those that are alike once."""
    ends = Ends(policy)
    flows = sorted(policy.flows, key=lambda flow: flow.name)
    classes = _classes(ends, flows)
    # What a class may reach and be reached by; equal ones of several zones are one member.
    answers = {
        (row, column): _between(one, other, flows)
        for row, one in enumerate(classes)
        for column, other in enumerate(classes)
    }
    merged: dict[object, list[int]] = {}
    for number, one in enumerate(classes):
        to = tuple(answers[number, other] for other in range(len(classes)))
        of = tuple(answers[other, number] for other in range(len(classes)))
        key = (tuple(sorted(one.machines)), one.what, to, of)
        merged.setdefault(key, []).append(number)
    groups = list(merged.values())
    members = tuple(_member([classes[number] for number in group]) for group in groups)
    return Matrix(
        members,
        {
            (row, column): answers[one[0], other[0]]
            for row, one in enumerate(groups)
            for column, other in enumerate(groups)
        },
    )


def _classes(ends: Ends, flows: list[Flow]) -> list[_Class]:
    sources = [ends.source(flow) for flow in flows]
    targets = [ends.target(flow) for flow in flows]
    found: dict[object, _Class] = {}
    for address, what in _addresses(ends):
        zone = ends.zone_of(address)
        starts, arrives = _within(ends, sources, address), _within(ends, targets, address)
        # The rest of a class is one address that stands for others: it is not merged with them.
        key = zone, what, starts, arrives
        one = found.setdefault(key, _Class(zone, what, starts, arrives))
        one.addresses.append(address)
        if not what:
            one.machines.add(ends.owner[address])
    order = {name: number for number, name in enumerate(sorted(ends.policy.zones))}
    return sorted(
        found.values(),
        key=lambda one: (
            order.get(one.zone, len(order)),
            bool(one.what),
            sorted(one.machines),
            one.what,
            sorted(one.starts),
        ),
    )


def _addresses(ends: Ends) -> Iterator[tuple[Address, str]]:
    for name in sorted(ends.policy.nodes):
        for interface in ends.policy.nodes[name].interfaces:
            yield from ((address, "") for address in interface.addresses)
    for address, _ in ends.end(GATEWAYS).addresses:
        if address not in ends.owner:
            yield address, "gateway"
    for zone in sorted(ends.policy.zones):
        yield from ((address, "devices") for address in devices(ends, zone))
    yield from ((address, OUTSIDE) for address in public_addresses(ends))


def _within(ends: Ends, parts: Iterable[End], address: Address) -> frozenset[int]:
    return frozenset(number for number, part in enumerate(parts) if ends.contains(part, address))


def _between(one: _Class, other: _Class, flows: list[Flow]) -> tuple[Flow, ...]:
    families = {address.version for address in one.addresses}
    if families.isdisjoint(address.version for address in other.addresses):
        return ()
    if one.what == other.what == OUTSIDE:
        return ()  # no node of the lab is between them
    return tuple(flows[number] for number in sorted(one.starts & other.arrives))


def _member(classes: list[_Class]) -> Member:
    return Member(
        tuple(one.zone for one in classes if one.zone),
        tuple(sorted(classes[0].machines)),
        classes[0].what,
        tuple(address for one in classes for address in one.addresses),
    )
