"""Check what interfaces are made of, and the routes over them: VLANs, bonds, default route."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .addresses import (
    Network,
    network_mistake,
    on_every_link,
    parse_address,
    parse_network,
)
from .claims import Claim, conflicts
from .default_route import default_routes, routers
from .interfaces import Interfaces, interfaces_of, is_managed
from .kernel_names import ADVICE, kind_of_name
from .model import Host, Path, Problem, mapping, sequence, show, text, whole
from .suggest import did_you_mean
from .zones import Zone

#: The modes of Linux's bonding driver (Documentation/networking/bonding.rst).
MODES = (
    "balance-rr",
    "active-backup",
    "balance-xor",
    "broadcast",
    "802.3ad",
    "balance-tlb",
    "balance-alb",
)
#: Those in which an option has a meaning.
MODES_OF_OPTION = {
    "primary": ("active-backup", "balance-tlb", "balance-alb"),
    "lacp_rate": ("802.3ad",),
    "hash_policy": ("802.3ad", "balance-xor", "balance-tlb"),
}
EXAMPLE = "10.99.0.0/16"
#: What only whoever sets an interface can give it.
SETTINGS = ("mac", "parent", "bond")


def link_problems(
    host: Host, zones: Mapping[str, Zone], declared: Mapping[str, Any]
) -> Iterator[Problem]:
    """Check the VLANs, bonds and routes of one machine.

    Args:
        host: the machine.
        zones: the zones as far as they could be read.
        declared: ``lab_zones`` as it is declared.
    """
    interfaces = interfaces_of(host)
    parents = {text(body.get("parent")) for body in interfaces.values()}
    for name, body in sorted(interfaces.items()):
        if "zone" not in body and "address" not in body and name not in parents:
            right = "the zone that it is connected to: a name of lab_zones; only an interface that "
            right += "another one names as its parent can do without"
            path: Path = ("node_interfaces", name, "zone")
            yield Problem(host.name, path, "this key is missing", right)
        if not is_managed(body):
            yield from _foreign(host.name, name, body)
        elif "parent" in body:
            yield from _vlan(host.name, name, interfaces, zones)
        yield from _bond(host.name, name, mapping(body.get("bond")), interfaces)
        yield from _routes(host.name, name, body, interfaces, zones)
    yield from _kernel_names(host.name, interfaces)
    yield from _claims(host.name, interfaces)
    yield from _default_route(host.name, interfaces, declared)


def _foreign(owner: str, name: str, body: Mapping[Any, Any]) -> Iterator[Problem]:
    """What gpulab does not set it cannot make so."""
    right = "leave it out, or leave managed: false out, so that gpulab sets the interface"
    for key in SETTINGS:
        if key in body:
            wrong = f"somebody else sets '{name}' (managed: false), with its {key}"
            yield Problem(owner, ("node_interfaces", name, key), wrong, right)
    if body.get("gateway") is True:
        wrong = f"somebody else sets '{name}' (managed: false), with its default route"
        yield Problem(owner, ("node_interfaces", name, "gateway"), wrong, right)


def _kernel_names(owner: str, interfaces: Interfaces) -> Iterator[Problem]:
    """Refuse a MAC to hold a name that the kernel gives to the first card that it finds."""
    cards = {name for name, body in interfaces.items() if not {"parent", "bond"} & body.keys()}
    for body in interfaces.values():
        cards |= set(map(text, sequence(mapping(body.get("bond")).get("members"))))
    for name, body in sorted(interfaces.items()):
        kind = kind_of_name(name)
        rivals = sorted(card for card in cards - {name} if kind_of_name(card) == kind)
        if kind and rivals and "mac" in body and name in cards and is_managed(body):
            wrong = f"a boot may give the name '{name}' to the card of {' or '.join(rivals)}: the "
            wrong += "kernel gives such names in the order in which it finds the cards"
            yield Problem(owner, ("node_interfaces", name, "mac"), wrong, ADVICE)


def _vlan(
    owner: str, name: str, interfaces: Interfaces, zones: Mapping[str, Zone]
) -> Iterator[Problem]:
    body = interfaces[name]
    at: Path = ("node_interfaces", name)
    parent = text(body.get("parent"))
    zone = zones.get(text(body.get("zone")))
    if zone is not None and zone.vlan is None:
        right = f"add lab_zones.{zone.name}.vlan, or leave parent out: the zone comes untagged"
        yield Problem(owner, (*at, "parent"), f"zone '{zone.name}' has no VLAN tag", right)
    if "bond" in body:
        right = "make the bond an interface of its own, and name it as the parent"
        yield Problem(owner, (*at, "bond"), "a VLAN can't be a bond", right)
    if not parent:
        return
    if parent == name:
        right = "the interface that the tagged packets come over"
        yield Problem(owner, (*at, "parent"), "the interface is its own parent", right)
    elif parent not in interfaces:
        others = set(interfaces) - {name}
        right = f"declare it in node_interfaces ({parent}: {{}} carries VLANs and nothing else); "
        right += did_you_mean(parent, others)
        yield Problem(owner, (*at, "parent"), f"there is no interface '{parent}'", right)
    elif not is_managed(interfaces[parent]):
        wrong = f"somebody else sets '{parent}' (managed: false), and what is on top of it"
        yield Problem(owner, (*at, "parent"), wrong, "managed: false here, too, and no parent")
    elif "parent" in interfaces[parent]:
        right = "the interface below both"
        if text(interfaces[parent]["parent"]):
            right += f": {interfaces[parent]['parent']}"
        yield Problem(owner, (*at, "parent"), f"'{parent}' is a VLAN itself", right)
    else:
        yield from _vlan_mtu(owner, name, interfaces, zones)


def _vlan_mtu(
    owner: str, name: str, interfaces: Interfaces, zones: Mapping[str, Zone]
) -> Iterator[Problem]:
    """The kernel gives a VLAN no larger packets than its parent has."""
    body, parent = interfaces[name], interfaces[name]["parent"]
    own, below = _mtu(body, zones), _mtu(interfaces[parent], zones)
    if own is not None and below is not None and own > below:
        wrong = f"MTU {own} is above the {below} of its parent '{parent}'"
        right = f"at most {below} here, or a parent that does nothing but carry VLANs "
        right += f"({parent}: {{}})"
        yield Problem(owner, ("node_interfaces", name, "mtu"), wrong, right)


def _mtu(body: Mapping[Any, Any], zones: Mapping[str, Zone]) -> int | None:
    zone = zones.get(text(body.get("zone")))
    return whole(body.get("mtu")) or (zone.mtu if zone is not None else None)


def _bond(owner: str, name: str, bond: dict[Any, Any], interfaces: Interfaces) -> Iterator[Problem]:
    at: Path = ("node_interfaces", name, "bond")
    members = list(map(text, sequence(bond.get("members"))))
    for number, member in enumerate(members):
        if member in interfaces:
            wrong = f"'{member}' is an interface of its own in node_interfaces"
            right = f"a bond's member has no address: remove node_interfaces.{member}, or take it "
            yield Problem(owner, (*at, "members", number), wrong, f"{right}out of the bond")
    mode = bond.get("mode")
    for option, modes in MODES_OF_OPTION.items():
        if option in bond and mode in MODES and mode not in modes:
            right = f"leave it out, or mode: {' or '.join(modes)}"
            yield Problem(owner, (*at, option), f"the mode {show(mode)} has no {option}", right)
    primary = text(bond.get("primary"))
    if primary and primary not in members:
        wrong = f"'{primary}' is no member of the bond"
        yield Problem(owner, (*at, "primary"), wrong, did_you_mean(primary, members))


def _routes(
    owner: str,
    name: str,
    body: dict[Any, Any],
    interfaces: Interfaces,
    zones: Mapping[str, Zone],
) -> Iterator[Problem]:
    zone = zones.get(text(body.get("zone")))
    for number, route in enumerate(map(mapping, sequence(body.get("routes")))):
        at: Path = ("node_interfaces", name, "routes", number)
        to = parse_network(route.get("to"))
        via = parse_address(route.get("via"))
        if to is None and isinstance(route.get("to"), str):
            yield Problem(owner, (*at, "to"), *network_mistake(route["to"], EXAMPLE))
        if via is None:
            if isinstance(route.get("via"), str):
                wrong = f"{show(route['via'])} is not an IP address"
                yield Problem(owner, (*at, "via"), wrong, "the router's address, without prefix")
        elif to is not None and via.version != to.version:
            wrong = f"{via} cannot be the way to {to}"
            right = f"an IPv{to.version} address of the router"
            yield Problem(owner, (*at, "via"), wrong, right)
        elif (
            zone is not None
            and not on_every_link(via)
            and not any(via in net for net in zone.networks.values())
        ):
            right = f"a router inside {', '.join(map(str, zone.networks.values())) or 'the zone'}"
            there = [
                other
                for other, its in sorted(interfaces.items())
                if (theirs := zones.get(text(its.get("zone")))) is not None
                and any(via in net for net in theirs.networks.values())
            ]
            if there:
                right += f", or put the route at {there[0]}, which is in the router's zone"
            wrong = f"{via} is outside zone '{zone.name}'"
            yield Problem(owner, (*at, "via"), wrong, right)


def _claims(owner: str, interfaces: Interfaces) -> list[Problem]:
    """What two interfaces of one node cannot both have."""
    members, tags, routes = [], [], []
    for name, body in sorted(interfaces.items()):
        at: Path = ("node_interfaces", name)
        given = sequence(mapping(body.get("bond")).get("members"))
        for number, member in enumerate(map(text, given)):
            if member not in given[:number]:
                members.append(Claim(member, owner, (*at, "bond", "members", number), member))
        parent, zone = text(body.get("parent")), text(body.get("zone"))
        if parent and zone:
            shown = f"zone '{zone}' on {parent}"
            tags.append(Claim((parent, zone), owner, (*at, "parent"), shown))
        for number, to in enumerate(_destinations(body)):
            if to is not None:
                routes.append(Claim(to, owner, (*at, "routes", number, "to"), str(to)))
    return [
        *conflicts(members, "an interface is a member of one bond"),
        *conflicts(tags, "one interface per zone and parent"),
        *conflicts(routes, "one route to each network"),
    ]


def _destinations(body: Mapping[Any, Any]) -> list[Network | None]:
    return [parse_network(mapping(route).get("to")) for route in sequence(body.get("routes"))]


def _default_route(
    owner: str, interfaces: Interfaces, declared: Mapping[str, Any]
) -> Iterator[Problem]:
    chosen = [name for name, body in interfaces.items() if body.get("gateway") is True]
    for name in chosen:
        path: Path = ("node_interfaces", name, "gateway")
        zone = mapping(declared.get(text(interfaces[name].get("zone"))))
        if name != chosen[0]:
            wrong = f"the default route already goes over '{chosen[0]}'"
            yield Problem(owner, path, wrong, "gateway: true at one interface of the machine")
        elif not routers(interfaces[name], zone):
            wrong = f"zone {show(interfaces[name].get('zone'))} has no gateway for this machine"
            right = "gateway: true at an interface whose zone has one, or add it to the zone"
            yield Problem(owner, path, wrong, right)
    routes = default_routes(interfaces, declared)
    taken = {4: routes.get("gateway"), 6: routes.get("gateway6")}
    for name, body in sorted(interfaces.items()):
        for number, to in enumerate(_destinations(body)):
            if to is not None and to.prefixlen == 0 and (over := taken[to.version]):
                wrong = f"the default route already goes over the gateway of '{over}'"
                right = f"remove this route, or set gateway: false at {over}"
                at: Path = ("node_interfaces", name, "routes", number, "to")
                yield Problem(owner, at, wrong, right)
