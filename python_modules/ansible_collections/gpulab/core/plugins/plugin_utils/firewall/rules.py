"""Each flow's rules, as text of nftables: the same for every node that the flow concerns.

What differs between nodes stands in sets: ``self_4`` holds the node's own IPv4 addresses,
``self/fabric_4`` those in one zone. So a rule is rendered once for the whole lab.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

from ..declaration.flow_ends import GATEWAYS, OUTSIDE
from . import sets
from .endpoints import FAMILIES, NOBODY, ZONE, End, Ends
from .names import checked, identifiers
from .policy import Flow, Policy, PolicyError
from .sources import LAB

#: The set of this machine's interfaces that are in a zone.
INTERFACES = "interfaces"
#: The sets of this machine's own addresses begin so.
SELF = "self"
_EGRESS = "egress_"
_IP = {4: "ip", 6: "ip6"}
_ECHO = {4: "icmp type echo-request", 6: "icmpv6 type echo-request"}
_RATE = re.compile(r"([1-9][0-9]{0,8})/(second|minute|hour)")


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        text: a line of a chain.
        needs: a set of the node's own addresses, or of a zone that it is in; a node without
            any leaves the rule out. "" for every machine.
        sets: the sets that it names.
    """

    text: str
    needs: str
    sets: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """A flow's rules in one chain, at most one per family, below a line that says whose."""

    heading: str
    rules: tuple[Rule, ...]

    @cached_property
    def needs(self) -> frozenset[str]:
        """What a node has that takes all the rules."""
        return frozenset(rule.needs for rule in self.rules if rule.needs)

    @cached_property
    def text(self) -> str:
        """All the rules' text; "" where there are none."""
        return "".join([self.heading, *(rule.text for rule in self.rules)] if self.rules else [])

    @cached_property
    def sets(self) -> frozenset[str]:
        """The sets that the rules name."""
        return frozenset(name for rule in self.rules for name in rule.sets)

    def of(self, has: frozenset[str]) -> Block:
        """Return what a node takes of it that has these sets of own addresses."""
        if self.needs <= has:
            return self
        taken = (rule for rule in self.rules if not rule.needs or rule.needs in has)
        return Block(self.heading, tuple(taken))


@dataclass(frozen=True)
class FlowRules:
    """A flow's rules in each chain.

    Attributes:
        source: where it starts.
        target: where it ends.
        incoming: for nodes of `target`.
        outgoing: for nodes of `source`.
        from_containers: for containers on nodes of `source`.
        published: for containers on nodes of `target`, whose ports are published there.
        routed: for nodes that connect zones.
    """

    source: End
    target: End
    incoming: Block
    outgoing: Block
    from_containers: Block
    published: Block
    routed: Block


@dataclass(frozen=True)
class _Half:
    """What matches one end of a flow in one family: the text after ``saddr`` or ``daddr``.

    Attributes:
        match: that text.
        set_name: the set in it.
        interfaces: of the node's own part: the set of the interfaces with these addresses.
    """

    match: str
    set_name: str
    interfaces: str = ""


class Renderer:
    """Renders the flows of one policy, and remembers the text of every set that they name."""

    def __init__(self, policy: Policy, ends: Ends) -> None:
        """Choose the words for zones, groups, nodes and flows."""
        self.ends = ends
        #: Name of a set → its text, for sets that are the same on every machine.
        self.sets: dict[str, str] = {}
        self.zone_words = identifiers(policy.zones)
        groups = {group for node in policy.nodes.values() for group in node.groups}
        self._words = {
            "zone": self.zone_words,
            "group": identifiers(groups),
            "node": identifiers(policy.nodes),
            "flow": identifiers(flow.name for flow in policy.flows),
        }
        for family in FAMILIES:
            networks = [
                (str(network), checked("zone", name))
                for name, zone in sorted(policy.zones.items())
                for network in zone.networks
                if network.version == family
            ]
            self.sets[f"{LAB}_{family}"] = sets.network_set(f"{LAB}_{family}", family, networks)
            for zone in policy.zones:
                self._half(ends.end(zone), family)

    def render(self, flow: Flow) -> FlowRules:
        """Render one flow.

        Raises:
            PolicyError: a name, the rate or the ports cannot be rendered.
        """
        ends = self.ends.source(flow), self.ends.target(flow)
        heading = _heading(flow)
        # Whoever is reached counts. If senders and routers did too, a head that goes to all nodes
        # at once would have one node's rate for all of them. Only they can for ends without a
        # firewall of ours.
        on_the_way = replace(flow, rate="") if ends[1].machines else flow

        def block(rule: Callable[[Flow, End, End, int], Rule | None], of: Flow) -> Block:
            found = (rule(of, *ends, family) for family in FAMILIES)
            return Block(heading, tuple(one for one in found if one))

        return FlowRules(
            *ends,
            incoming=block(self._incoming, flow),
            outgoing=block(self._outgoing, on_the_way),
            from_containers=block(self._from_containers, on_the_way),
            published=block(self._published, flow),
            routed=block(self._routed, on_the_way),
        )

    def _incoming(self, flow: Flow, source: End, target: End, family: int) -> Rule | None:
        far, own = self._half(source, family), self._own(target, family)
        if not far or not own:
            return None
        return self._rule(flow, family, _both(family, far, own), own.set_name, far, own)

    def _outgoing(self, flow: Flow, source: End, target: End, family: int) -> Rule | None:
        own, far = self._own(source, family), self._half(target, family)
        if not far or not own:
            return None
        return self._rule(flow, family, _both(family, own, far), own.set_name, far, own)

    def _routed(self, flow: Flow, source: End, target: End, family: int) -> Rule | None:
        if source.zone and source.zone == target.zone:
            return None  # what stays in one zone goes by no router
        start, end = self._half(source, family), self._half(target, family)
        if not start or not end:
            return None
        return self._rule(flow, family, _both(family, start, end), "", start, end)

    def _from_containers(self, flow: Flow, source: End, target: End, family: int) -> Rule | None:
        """Match the interface instead of the source, which the container engine puts in later."""
        own, far = self._own(source, family), self._half(target, family)
        if not own or not far:
            return None
        match = f"oifname @{own.interfaces} {_IP[family]} daddr {far.match}"
        rule = self._rule(flow, family, match, own.set_name, far)
        return replace(rule, sets=(*rule.sets, own.interfaces))

    def _published(self, flow: Flow, source: End, target: End, family: int) -> Rule | None:
        """Match where a packet was sent to before the container engine sent it on."""
        far, own = self._half(source, family), self._own(target, family)
        if not far or not own or flow.protocol == "icmp":
            return None
        ip = _IP[family]
        match = f"{ip} saddr {far.match} ct original {ip} daddr {own.match}"
        service, ports = self._original_service(flow)
        action, memory = self._action(flow, family)
        used = (own.set_name, far.set_name, *ports, *memory)
        return Rule(line(_join(match, service, action)), own.set_name, used)

    def _rule(self, flow: Flow, family: int, match: str, needs: str, *halves: _Half) -> Rule:
        action, memory = self._action(flow, family)
        used = (*(half.set_name for half in halves), *memory)
        return Rule(line(_join(match, _service(flow, family), action)), needs, used)

    def _half(self, end: End, family: int) -> _Half | None:
        if family not in end.families:
            return None
        if end.kind == OUTSIDE:
            return _Half(f"!= @{LAB}_{family}", f"{LAB}_{family}")
        name = f"{self._word(end)}_{family}"
        if name not in self.sets:
            self.sets[name] = sets.end_set(name, family, end)
        return _Half(f"@{name}", name)

    def _own(self, end: End, family: int) -> _Half | None:
        """Return what matches the part of `end` that is the node itself."""
        if end.kind in (OUTSIDE, NOBODY) or family not in end.families:
            return None
        if end.kind == ZONE:
            name = f"{self._word(end)}_{family}"
            self._half(end, family)
            return _Half(f"@{name}", name, f"{INTERFACES}/{self.zone_words[end.name]}")
        word = own_word(end.egress, end.kind, self.zone_words.get(end.zone, ""))
        return _Half(f"@{word}_{family}", f"{word}_{family}", f"{INTERFACES}_{word}")

    def _word(self, end: End) -> str:
        words = self._words.get(end.kind)
        word = f"{end.kind}_{words[end.name]}" if words else end.kind
        place = f"/{self.zone_words[end.zone]}" if end.zone and end.kind != ZONE else ""
        return f"{_EGRESS if end.egress else ''}{word}{place}"

    def _original_service(self, flow: Flow) -> tuple[str, tuple[str, ...]]:
        """Return what matches the ports that were dialled, and the sets for that."""
        if flow.protocol == "any":
            return "", ()
        match = f"meta l4proto {flow.protocol} ct original proto-dst"
        # nft 1.0.6 lists a set without a name here as "[invalid type]", which it cannot read back.
        if len(_ports(flow)) == 1:
            return f"{match} {sets.port_text(flow.ports[0])}", ()
        name = f"ports_{self._words['flow'][flow.name]}"
        self.sets[name] = sets.port_set(name, flow.ports)
        return f"{match} @{name}", (name,)

    def _action(self, flow: Flow, family: int) -> tuple[str, tuple[str, ...]]:
        """Return what a matching packet meets, and the sets for that."""
        name = checked("flow", flow.name)
        limit, memory = "", ""
        if flow.rate:
            count, unit = parse_rate(flow)
            memory = f"rate_{self._words['flow'][name]}_{family}"
            self.sets[memory] = sets.rate_set(memory, family, unit)
            of_source = f"{_IP[family]} saddr limit rate {count}/{unit} burst {count} packets"
            limit = f"update @{memory} {{ {of_source} }}"
        log = f'log prefix "gpulab flow {name}: "' if flow.log else ""
        return _join(limit, log, f'counter accept comment "{name}"'), (memory,) * bool(memory)


def line(text: str) -> str:
    """Indent one line of a chain."""
    return f"{sets.INDENT * 2}{text}\n"


def parse_rate(flow: Flow) -> tuple[int, str]:
    """Read ``30/minute`` as ``(30, "minute")``.

    Raises:
        PolicyError: it is no rate.
    """
    found = _RATE.fullmatch(flow.rate)
    if not found:
        msg = f"flow {flow.name}: rate {flow.rate!r} is no count per second, minute or hour, "
        raise PolicyError(msg + "such as 30/minute")
    return int(found[1]), found[2]


def own_word(egress: bool, kind: str, zone_word: str) -> str:
    """Name the set, without its family, of a node's own addresses.

    Args:
        egress: only those in zones that may reach the outside.
        kind: ``gateways`` for those that are gateways, anything else for all.
        zone_word: the word of the zone that they are limited to, or "".
    """
    word = f"{SELF}_{GATEWAYS}" if kind == GATEWAYS else SELF
    return f"{_EGRESS if egress else ''}{word}{f'/{zone_word}' if zone_word else ''}"


def _both(family: int, source: _Half, target: _Half) -> str:
    ip = _IP[family]
    return f"{ip} saddr {source.match} {ip} daddr {target.match}"


def _service(flow: Flow, family: int) -> str:
    if flow.protocol == "icmp":
        return _ECHO[family]
    if flow.protocol == "any":
        return ""
    ports = ", ".join(map(sets.port_text, _ports(flow)))
    return f"{flow.protocol} dport {ports if len(flow.ports) == 1 else f'{{ {ports} }}'}"


def _ports(flow: Flow) -> tuple[tuple[int, int], ...]:
    if not flow.ports:
        msg = f"flow {flow.name}: {flow.protocol} needs ports, such as [443]; protocol any has none"
        raise PolicyError(msg)
    return flow.ports


def _heading(flow: Flow) -> str:
    ports = ",".join(map(sets.port_text, flow.ports))
    for word in (flow.source, flow.target, flow.origin):
        checked(f"flow {flow.name}:", word)
    return line(f"# {flow.source} -> {flow.target}, {_join(flow.protocol, ports)} ({flow.origin})")


def _join(*parts: str) -> str:
    return " ".join(part for part in parts if part)
