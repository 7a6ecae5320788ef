"""Who may reach whom: answers from the declared flows, and from no ruleset.

The compiler and this module share how ends become addresses and which sources a node believes;
what nftables then makes of it is the compiler's alone. So the two can be held against each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..declaration.flow_ends import OUTSIDE
from .endpoints import Ends
from .policy import Address, Flow, Policy, PolicyError
from .query_addresses import points
from .sources import sources_of

SENDER, ROUTER, RECEIVER = "sender", "router", "receiver"
_HINTS = 3


@dataclass(frozen=True)
class Side:
    """What one node of the lab does with the packet: `role` is sender, router or receiver."""

    machine: str
    role: str
    allowed: bool
    why: str


@dataclass(frozen=True)
class Way:
    """One pair of addresses.

    Attributes:
        source: where the packet comes from.
        target: where it goes.
        flows: the flows that let it through.
        sides: what the nodes on its way do, in its order.
        notes: what is worth knowing besides: no route, another address after masquerading.
        loopback: whether both addresses are one node's, which needs no flow.
    """

    source: Address
    target: Address
    flows: tuple[Flow, ...]
    sides: tuple[Side, ...]
    notes: tuple[str, ...] = ()
    loopback: bool = False

    @property
    def allowed(self) -> bool:
        """Whether it arrives, as far as the declaration and the lab's nodes decide."""
        return self.loopback or (bool(self.flows) and all(side.allowed for side in self.sides))


@dataclass(frozen=True)
class Answer:
    """Whether a connection may be opened.

    Attributes:
        allowed: whether it may, between any pair of the two ends' addresses.
        flows: the flows that let it through.
        why: one sentence.
        sides: what each node does, on the way that is allowed or comes nearest.
        ways: every pair of addresses, the best first.
        hints: what would have to be different, when it may not.
    """

    allowed: bool
    flows: tuple[Flow, ...]
    why: str
    sides: tuple[Side, ...]
    ways: tuple[Way, ...]
    hints: tuple[str, ...] = ()


def is_allowed(
    policy: Policy,
    source: str,
    target: str,
    protocol: str,
    port: int | None,
    ends: Ends | None = None,
) -> Answer:
    """Say whether `source` may open a connection to `target`, and by which flow.

    Args:
        policy: the lab's policy.
        source: ``node``, ``node@zone``, a zone (any device in it), ``outside``, or an address.
        target: the same.
        protocol: ``tcp``, ``udp`` or ``icmp`` (echo).
        port: the destination port; None for icmp.
        ends: the policy's, where more than one question is asked.

    Raises:
        PolicyError: an end or the protocol is unknown, or the two have no family in common.
    """
    _check_service(protocol, port)
    ends = ends or Ends(policy)
    froms, tos = points(ends, source), points(ends, target)
    pairs = [(one, other) for one in froms for other in tos if one.version == other.version]
    if not pairs:
        msg = f"{source} and {target} have no addresses of one family: one is IPv4, one IPv6"
        raise PolicyError(msg)
    judge = _Judge(policy, ends, protocol, port)
    ways = sorted((judge.way(*pair) for pair in pairs), key=judge.rank)
    best = ways[0]
    return Answer(
        best.allowed,
        best.flows,
        _why(best, source, target, service(protocol, port)),
        best.sides,
        tuple(ways),
        () if best.flows or best.loopback else tuple(judge.hints(ways)),
    )


def service(protocol: str, port: int | None) -> str:
    """Write a service as people do: ``tcp 22``, ``icmp``."""
    return protocol if port is None else f"{protocol} {port}"


def declared_at(flow: Flow) -> str:
    """Say where a flow stands."""
    role = flow.origin.removeprefix("role ")
    return flow.origin if role == flow.origin else f"roles/{role}/meta/flows.yml"


def services(flow: Flow) -> str:
    """Write all that a flow allows: ``tcp 22, 8000-8100``."""
    ports = ", ".join(
        str(first) if first == last else f"{first}-{last}" for first, last in flow.ports
    )
    return f"{flow.protocol} {ports}" if ports else flow.protocol


def serves(flow: Flow, protocol: str, port: int | None) -> bool:
    """Whether a flow is about this protocol and port."""
    if flow.protocol == "any":
        return True
    if flow.protocol != protocol:
        return False
    return port is None or any(first <= port <= last for first, last in flow.ports)


class _Judge:
    """Judges pairs of addresses for one service."""

    def __init__(self, policy: Policy, ends: Ends, protocol: str, port: int | None) -> None:
        self._policy = policy
        self._ends = ends
        self._protocol, self._port = protocol, port
        flows = sorted(policy.flows, key=lambda flow: flow.name)
        self._serving = [flow for flow in flows if serves(flow, protocol, port)]
        self._others = [flow for flow in flows if not serves(flow, protocol, port)]
        self._gateway_of = {
            address: name for name, zone in policy.zones.items() for address in zone.gateways
        }

    def way(self, source: Address, target: Address) -> Way:
        """Follow one packet."""
        flows = tuple(flow for flow in self._serving if self._covers(flow, source, target))
        owner = self._ends.owner
        if source in owner and owner[source] == owner.get(target):
            return Way(source, target, flows, (), loopback=True)
        sides = tuple(self._sides(source, target, bool(flows)))
        return Way(source, target, flows, sides, tuple(self._notes(source, target)))

    def rank(self, way: Way) -> tuple[bool, bool, int, bool, int, int]:
        """Sort allowed ways first, then those within one zone, then by address."""
        apart = self._ends.zone_of(way.source) != self._ends.zone_of(way.target)
        addresses = int(way.source), int(way.target)
        return (not way.allowed, apart, len(way.notes), way.source.version == 6, *addresses)

    def hints(self, ways: list[Way]) -> list[str]:
        """Name the flows that nearly let one of the ways through, and what they lack."""
        found: dict[str, str] = {}
        for way in ways:
            for flow, hint in self._lacking(way.source, way.target):
                found.setdefault(flow, hint)
        return list(found.values())[:_HINTS]

    def _covers(self, flow: Flow, source: Address, target: Address) -> bool:
        return self._ends.contains(self._ends.source(flow), source) and self._ends.contains(
            self._ends.target(flow), target
        )

    def _lacking(self, source: Address, target: Address) -> Iterator[tuple[str, str]]:
        ends, zone = self._ends, self._ends.zone_of(source)
        leaves = not ends.zone_of(target) or target in self._gateway_of
        if zone and leaves and not self._policy.zones[zone].outside:
            where = "routers or the outside" if target in self._gateway_of else "the outside"
            yield "", f"nothing of zone {zone} may reach {where} (lab_zones.{zone}.outside)"
        for flow in self._serving:
            starts = ends.contains(ends.source(flow), source)
            if ends.contains(ends.target(flow), target) and not starts:
                lacking = f"goes there, but starts from {flow.source}, not {self._at(source)}"
                yield flow.name, f"{flow.name} {lacking}"
            elif starts:
                lacking = f"starts there, but goes to {flow.target}, not {self._at(target)}"
                yield flow.name, f"{flow.name} {lacking}"
        for flow in self._others:
            if self._covers(flow, source, target):
                yield flow.name, f"{flow.name} is between them, but for {services(flow)}"

    def _sides(self, source: Address, target: Address, flow: bool) -> Iterator[Side]:
        sender, receiver = self._ends.owner.get(source), self._ends.owner.get(target)
        lacking = "no flow lets it"
        if sender:
            yield Side(sender, SENDER, flow, "lets it out" if flow else f"{lacking} out")
        for router in self._routers(source, target):
            believed = self._believed_by_router(router, source)
            why = ("sends it on" if flow else f"{lacking} through") if believed else _FORGED
            yield Side(router, ROUTER, flow and believed, why)
        if receiver:
            believed = self._believed(receiver, source, target)
            why = ("lets it in" if flow else f"{lacking} in") if believed else _FORGED
            yield Side(receiver, RECEIVER, flow and believed, why)

    def _routers(self, source: Address, target: Address) -> list[str]:
        """Return the lab's nodes that are the gateway of either end's zone."""
        zones = {self._ends.zone_of(source), self._ends.zone_of(target)}
        if len(zones) == 1:
            return []
        ends = {self._ends.owner.get(source), self._ends.owner.get(target)}
        machines = {
            self._ends.owner[gateway]
            for gateway, zone in self._gateway_of.items()
            if zone in zones and gateway.version == source.version and gateway in self._ends.owner
        }
        return sorted(machines - ends)

    def _believed(self, receiver: str, source: Address, target: Address) -> bool:
        """Whether the receiver believes the source on the interface that the packet comes in by."""
        node = self._policy.nodes[receiver]
        by_zone = sources_of(node, self._policy)
        zone = self._ends.zone_of(source)
        here = self._ends.zone_of(target)
        # Of a zone whose gateway it is, packets come to it directly, whatever their target is.
        own_gateway = any(
            self._ends.owner.get(gateway) == receiver and of == zone
            for gateway, of in self._gateway_of.items()
            if gateway.version == source.version
        )
        came_by = zone if own_gateway and zone in by_zone else here
        return came_by in by_zone and by_zone[came_by].believes(source)

    def _believed_by_router(self, router: str, source: Address) -> bool:
        by_zone = sources_of(self._policy.nodes[router], self._policy)
        zone = self._ends.zone_of(source)
        if zone in by_zone:
            return True
        return any(sources.believes(source) for sources in by_zone.values())

    def _notes(self, source: Address, target: Address) -> Iterator[str]:
        zone, other = self._ends.zone_of(source), self._ends.zone_of(target)
        if zone == other or not zone:
            return
        gateways = self._policy.zones[zone].gateways
        sender = self._ends.owner.get(source)
        attached = sender and any(
            interface.zone == other for interface in self._policy.nodes[sender].interfaces
        )
        if attached:
            yield f"{sender} is in zone {other} too, and uses its address there unless told to"
        elif not any(gateway.version == source.version for gateway in gateways):
            yield f"zone {zone} has no IPv{source.version} gateway: no way leads from there"
        for name, body in sorted(self._policy.zones.items()):
            if not other and zone in body.masquerade_for:
                yield f"it leaves with the address of {body.masquerade_by} in zone {name}"

    def _at(self, address: Address) -> str:
        owner = self._ends.owner.get(address)
        if not owner and address in self._gateway_of:
            owner = f"gateway of {self._gateway_of[address]}"
        zone = self._ends.zone_of(address) or OUTSIDE
        return f"{address} ({owner}, {zone})" if owner else f"{address} ({zone})"


_FORGED = "drops it as forged: this source cannot come in by that interface"


def _why(way: Way, source: str, target: str, asked: str) -> str:
    question = f"{source} may {'' if way.allowed else 'not '}reach {target} on {asked}"
    if way.loopback:
        return f"{question}: it is the same machine"
    if way.allowed:
        flow = way.flows[0]
        return f"{question}, by flow {flow.name} ({declared_at(flow)})"
    if not way.flows:
        return f"{question}: no flow allows it"
    lacking = next(side for side in way.sides if not side.allowed)
    return f"{question}: {lacking.machine} ({lacking.role}) {lacking.why}"


def _check_service(protocol: str, port: int | None) -> None:
    if protocol not in ("tcp", "udp", "icmp"):
        msg = f"protocol {protocol!r} is none of tcp, udp, icmp"
        raise PolicyError(msg)
    if protocol == "icmp" and port is not None:
        msg = "icmp has no ports: ask without one"
        raise PolicyError(msg)
    if protocol != "icmp" and (port is None or not 1 <= port <= 65535):
        msg = f"{protocol} needs a port from 1 to 65535, as in node01:22"
        raise PolicyError(msg)
