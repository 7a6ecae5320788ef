"""Check flows: where they start and end, on which ports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from .claims import Claim, conflicts
from .flow_ends import ALL, OUTSIDE, RESERVED_ENDS, WAYS_OUT
from .model import Declaration, Path, Problem, Value, mapping, sequence, show, text
from .suggest import did_you_mean
from .zones import Zone

LAST_PORT = 65535
#: Between a group or a node and the zone of those of its addresses that are meant.
AT = "@"
#: What these are in a flow.
RESERVED_NAMES = {
    "outside": "every address in no zone",
    "gateways": "the routers of all zones",
    "all": "every machine",
}


@dataclass(frozen=True)
class Ends:
    """What a flow may start or end at.

    Attributes:
        zones: the zones by name.
        groups: names of all groups.
        attached: node → the zones that it has an interface in.
    """

    zones: dict[str, Zone]
    groups: frozenset[str]
    attached: dict[str, frozenset[str]]

    def mistake(self, end: str) -> tuple[str, str] | None:
        """Say what is wrong with an end, and what would be right; None when it is one."""
        if end in {*RESERVED_ENDS, *self.zones, *self.groups, *self.attached}:
            return None
        members, at, zone = end.partition(AT)
        if not at:
            known = {*RESERVED_NAMES, *self.zones, *self.groups, *self.attached}
            return f"there is no zone, group or node '{end}'", did_you_mean(end, known)
        if zone not in self.zones:
            return f"there is no zone '{zone}'", did_you_mean(zone, self.zones)
        if members in self.groups:
            return None
        if members not in self.attached:
            wrong = f"there is no group or node '{members}'"
            return wrong, did_you_mean(members, {*self.groups, *self.attached})
        if zone not in self.attached[members]:
            right = f"add it to node_interfaces of {members}, or name a zone that it is in: "
            right += ", ".join(sorted(self.attached[members])) or "none"
            return f"{members} has no interface in zone '{zone}'", right
        return None

    def kept_in(self, source: str) -> Zone | None:
        """The zone that a flow starts in, when that zone may not reach the outside."""
        zone = self.zones.get(source if source in self.zones else source.partition(AT)[2])
        return zone if zone is not None and not zone.outside else None


def ends_of(declaration: Declaration, zones: dict[str, Zone]) -> Ends:
    """Collect what flows of a lab may name."""
    attached = {
        host.name: frozenset(
            text(mapping(body).get("zone"))
            for body in mapping(host.variables.get("node_interfaces")).values()
        )
        & zones.keys()
        for host in declaration.hosts
    }
    return Ends(zones, declaration.groups | {ALL}, attached)


def flow_problems(declaration: Declaration, zones: dict[str, Zone]) -> Iterator[Problem]:
    """Check ``lab_flows``, and the names that flows refer to."""
    yield from _names(declaration, zones)
    flows = sequence(declaration.lab.get("lab_flows"))
    # With no zone declared yet (a sandbox that is not up) there is nothing to compare.
    ends = ends_of(declaration, zones) if "lab_zones" in declaration.lab else None
    for number, flow in enumerate(map(mapping, flows)):
        at: Path = ("lab_flows", number)
        if ends is not None:
            yield from end_problems(at, flow, ends)
        yield from port_problems(at, flow)
    yield from repeated_names((("lab_flows", number), flow) for number, flow in enumerate(flows))


def end_problems(at: Path, flow: dict[Any, Any], ends: Ends) -> Iterator[Problem]:
    """Check where a flow starts and ends."""
    for key in ("from", "to"):
        if isinstance(flow.get(key), str) and (mistake := ends.mistake(flow[key])):
            yield Problem("", (*at, key), *mistake)
    if flow.get("from") == flow.get("to") == OUTSIDE:
        right = "name who of the lab starts it, or who it is for"
        wrong = "from outside to outside: strangers would reach others over the lab's routers"
        yield Problem("", (*at, "to"), wrong, right)
    kept_in = ends.kept_in(text(flow.get("from")))
    if kept_in is not None and flow.get("to") in WAYS_OUT:
        right = f"set lab_zones.{kept_in.name}.outside: true, or remove the flow"
        wrong = f"zone '{kept_in.name}' may not reach the outside (outside: false)"
        if not kept_in.gateways:
            wrong = f"zone '{kept_in.name}' has no gateway, so nothing of it reaches the outside"
            right = f"set lab_zones.{kept_in.name}.gateway, or remove the flow"
        yield Problem("", (*at, "to"), wrong, right)


def port_problems(at: Path, flow: dict[Any, Any]) -> Iterator[Problem]:
    """Check the ports of a flow, which its protocol must have or must not."""
    protocol = flow.get("protocol")
    if protocol in ("icmp", "any") and "ports" in flow:
        right = "leave 'ports' out, or name the protocol tcp or udp"
        wrong = "icmp has no ports" if protocol == "icmp" else "'any' has all ports"
        yield Problem("", (*at, "ports"), wrong, right)
    if protocol in ("tcp", "udp") and "ports" not in flow:
        right = "list the destination ports, for example [443]"
        yield Problem("", (*at, "ports"), f"a {protocol} flow names no ports", right)
    for place, port in enumerate(sequence(flow.get("ports"))):
        yield from _port_range((*at, "ports", place), port)


def repeated_names(flows: Iterable[tuple[Path, Any]]) -> list[Problem]:
    """Report flows that have the name of an earlier one; each is given with where it stands."""
    names = [
        Claim(name, "", (*at, "name"), f"the name '{name}'")
        for at, flow in flows
        if (name := text(mapping(flow).get("name")))
    ]
    return conflicts(names, "give each flow a name of its own")


def _names(declaration: Declaration, zones: dict[str, Zone]) -> Iterator[Problem]:
    for name, meaning in RESERVED_NAMES.items():
        wrong = f"in a flow '{name}' means {meaning}, so nothing else can have that name"
        if name in zones:
            yield Problem("", ("lab_zones", name), wrong, "give the zone another name")
        if name in declaration.groups and name != ALL:
            yield Problem("", (name,), wrong, "give the group another name")
        if any(host.name == name for host in declaration.hosts):
            yield Problem(name, (), wrong, "give the machine another name")
    for group in sorted(declaration.groups):
        if AT in group:
            wrong = f"the group's name has '{AT}', which in a flow stands before a zone"
            yield Problem("", (group,), wrong, f"write it without: {group.replace(AT, '_')}")


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
