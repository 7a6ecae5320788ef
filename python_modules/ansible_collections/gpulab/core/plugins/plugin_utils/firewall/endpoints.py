"""What the ends of flows are: addresses.

Both the compiler and the answers to "who may reach whom" resolve ends here. An end is written
``zone``, ``group``, ``node``, ``group@zone``, ``node@zone``, ``all``, ``outside`` or ``gateways``;
a zone wins over a group of its name, a group over a machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from ..declaration.flow_ends import ALL, GATEWAYS, OUTSIDE, WAYS_OUT
from .policy import Address, Flow, Network, Node, Policy, PolicyError

ZONE, GROUP, NODE, NOBODY = "zone", "group", "node", "nobody"
FAMILIES = (4, 6)


@dataclass(frozen=True)
class End:
    """One end of flows.

    Attributes:
        kind: ``zone``, ``group``, ``node``, ``all``, ``outside``, ``gateways``; ``nobody`` where no
            node has that name or is in that group.
        name: the zone's, group's or node's name; else the kind.
        zone: the zone that it is limited to, or "".
        egress: whether only its addresses in zones that may reach the outside are meant.
        networks: of a zone.
        addresses: of the other kinds: address → the node (or zone, of a gateway) that has it.
        machines: those that have an address of it, in order.
    """

    kind: str
    name: str
    zone: str = ""
    egress: bool = False
    networks: tuple[Network, ...] = ()
    addresses: tuple[tuple[Address, str], ...] = ()
    machines: tuple[str, ...] = ()

    @cached_property
    def families(self) -> frozenset[int]:
        """Of which families, 4 and 6, an address can be in it."""
        if self.kind == OUTSIDE:
            return frozenset(FAMILIES)
        parts = (*self.networks, *(address for address, _ in self.addresses))
        return frozenset(part.version for part in parts)

    @cached_property
    def _addresses(self) -> frozenset[Address]:
        return frozenset(address for address, _ in self.addresses)

    def holds(self, address: Address) -> bool:
        """Whether `address` is one of it; of ``outside``, only `Ends.contains` knows."""
        return address in self._addresses or any(address in network for network in self.networks)


class Ends:
    """Resolves ends in one policy, each once."""

    def __init__(self, policy: Policy) -> None:
        """Index the nodes by group and by address.

        Raises:
            PolicyError: an address belongs to two machines.
        """
        self.policy = policy
        self._known: dict[tuple[str, bool], End] = {}
        self._groups: dict[str, list[Node]] = {ALL: []}
        self._zone_of: dict[Address, str] = {}
        self.owner: dict[Address, str] = {}
        for name in sorted(policy.nodes):
            node = policy.nodes[name]
            for group in {ALL, *node.groups}:
                self._groups.setdefault(group, []).append(node)
            self._own(node)

    def _own(self, node: Node) -> None:
        for interface in node.interfaces:
            for address in interface.addresses:
                other = self.owner.setdefault(address, node.name)
                if other != node.name:
                    msg = f"{other} and {node.name} both have {address} in node_interfaces"
                    raise PolicyError(msg)

    def zone_of(self, address: Address) -> str:
        """Return the zone whose network has `address`, or "" for an address outside the lab."""
        if address not in self._zone_of:
            self._zone_of[address] = next(
                (
                    name
                    for name, zone in self.policy.zones.items()
                    if any(address in network for network in zone.networks)
                ),
                "",
            )
        return self._zone_of[address]

    def source(self, flow: Flow) -> End:
        """Return where connections of `flow` start.

        Toward the outside and the routers, only addresses in zones that may reach the outside.
        """
        return self.end(flow.source, egress=flow.target in WAYS_OUT)

    def target(self, flow: Flow) -> End:
        """Return where connections of `flow` end."""
        return self.end(flow.target)

    def end(self, written: str, egress: bool = False) -> End:
        """Return the end that is written so."""
        key = written, egress
        if key not in self._known:
            end = self._resolve(written)
            self._known[key] = self._leaving(end) if egress else end
        return self._known[key]

    def contains(self, end: End, address: Address) -> bool:
        """Whether `address` is in `end`."""
        if end.kind == OUTSIDE:
            return not self.zone_of(address)
        return end.holds(address)

    def _resolve(self, written: str) -> End:
        if written == OUTSIDE:
            return End(OUTSIDE, OUTSIDE)
        if written == GATEWAYS:
            return self._gateways()
        if written in self.policy.zones:
            return self._zone(written)
        name, _, zone = written.partition("@")
        if name in self._groups:
            kind = ALL if name == ALL else GROUP
            return _machines(End(kind, name, zone), self._groups[name])
        if name in self.policy.nodes:
            return _machines(End(NODE, name, zone), [self.policy.nodes[name]])
        return End(NOBODY, name, zone)

    def _zone(self, name: str) -> End:
        attached = (
            node.name
            for node in self.policy.nodes.values()
            if any(interface.zone == name for interface in node.interfaces)
        )
        networks = self.policy.zones[name].networks
        return End(ZONE, name, name, networks=networks, machines=tuple(sorted(attached)))

    def _gateways(self) -> End:
        found = {
            address: f"gateway of {name}"
            for name, zone in sorted(self.policy.zones.items())
            for address in zone.gateways
        }
        machines = {self.owner[address] for address in found if address in self.owner}
        return End(
            GATEWAYS, GATEWAYS, addresses=in_order(found.items()), machines=tuple(sorted(machines))
        )

    def _leaving(self, end: End) -> End:
        """Return of `end` what is in zones that may reach the outside."""
        if end.kind == OUTSIDE:
            return end
        if end.kind == ZONE:
            return end if self.policy.zones[end.name].outside else End(NOBODY, end.name, end.zone)
        left = tuple(pair for pair in end.addresses if self._may_leave(pair[0]))
        machines = {self.owner[address] for address, _ in left if address in self.owner}
        return replace(end, egress=True, addresses=left, machines=tuple(sorted(machines)))

    def _may_leave(self, address: Address) -> bool:
        zone = self.zone_of(address)
        return not zone or self.policy.zones[zone].outside


def in_order(addresses: Iterable[tuple[Address, str]]) -> tuple[tuple[Address, str], ...]:
    """Sort addresses with their owners: IPv4 first, each family by number."""
    return tuple(sorted(addresses, key=lambda pair: (pair[0].version, int(pair[0]))))


def _machines(end: End, nodes: Iterable[Node]) -> End:
    found = {
        address: node.name
        for node in nodes
        for interface in node.interfaces
        if end.zone in ("", interface.zone)
        for address in interface.addresses
    }
    machines = tuple(sorted(set(found.values())))
    return replace(end, addresses=in_order(found.items()), machines=machines)
