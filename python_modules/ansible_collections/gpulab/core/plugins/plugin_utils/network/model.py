"""A node's network as links with addresses and routes: what every back end renders.

Built from ``node_interfaces`` and ``lab_zones``; it knows nothing of the files that back ends read.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..declaration.addresses import on_every_link
from ..declaration.default_route import default_routes
from ..declaration.interfaces import is_managed

ETHERNET_MTU = 1500  # IEEE 802.3, what a link carries when nobody says otherwise
#: An InfiniBand packet of 4096 bytes, less the four of the IPoIB header (RFC 4391). More needs
#: connected mode, which today's cards do not have ("enhanced IPoIB" of mlx5).
IPOIB_MTU = 4092
#: The bit of a partition key that makes a port a full member: limited members, without it, cannot
#: talk to each other (InfiniBand Architecture Specification, volume 1, 10.9.1).
FULL_MEMBER = 0x8000


class NetworkError(ValueError):
    """The declaration gives no working network; the text names the key, what is wrong, the fix."""


@dataclass(frozen=True)
class Route:
    """A way to a network over a router. ``to`` is a network; the default route has length 0."""

    to: str
    via: str

    @property
    def version(self) -> int:
        """Give 4 or 6."""
        return ipaddress.ip_address(self.via).version

    @property
    def is_default(self) -> bool:
        """Say whether it is the way to everything that no other route leads to."""
        return ipaddress.ip_network(self.to).prefixlen == 0


@dataclass(frozen=True)
class Bond:
    """How the members of a bond work together, in the words of Linux's bonding driver."""

    mode: str
    members: tuple[str, ...]
    primary: str = ""
    lacp_rate: str = ""
    hash_policy: str = ""


@dataclass(frozen=True)
class Link:
    """One interface.

    Attributes:
        name: its name on the machine.
        kind: ``physical``, ``bond``, ``vlan`` or ``ipoib`` (a partition's child of an InfiniBand
            interface).
        mtu: largest packet, bytes.
        mac: by which a physical interface is found, in lower case, or "".
        infiniband: whether it is InfiniBand, and no Ethernet.
        addresses: with prefix length, as ``10.20.0.12/24``.
        routes: the default routes first.
        parent: what carries a ``vlan`` or ``ipoib``.
        tag: the VLAN tag of a ``vlan``; the partition key of an ``ipoib``, full membership set.
        bond: of a ``bond``.
        master: the bond that it is a member of.
    """

    name: str
    kind: str
    mtu: int
    mac: str = ""
    infiniband: bool = False
    addresses: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    parent: str = ""
    tag: int = 0
    bond: Bond | None = None
    master: str = ""

    @property
    def virtual(self) -> bool:
        """Say whether the node has it only because it was made."""
        return self.kind != "physical"


@dataclass(frozen=True)
class Model:
    """A node's network.

    Attributes:
        links: what is below comes before what is on top of it: physical, bonds, then the rest.
        nameservers: addresses of DNS servers; empty leaves the resolver to whoever sets it.
        search: domains in which short names are looked for.
    """

    links: tuple[Link, ...]
    nameservers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()

    def on_top_of(self, name: str) -> tuple[Link, ...]:
        """Give the VLANs and partitions that a link carries."""
        return tuple(link for link in self.links if link.parent == name)

    @property
    def resolver_link(self) -> str:
        """Name the link that the DNS servers are said at: the default route's, else the first."""
        ways = [link.name for link in self.links if any(route.is_default for route in link.routes)]
        addressed = [link.name for link in self.links if link.addresses]
        return next(iter([*ways, *addressed]), "")


def build(
    interfaces: Mapping[str, Mapping[str, Any]],
    zones: Mapping[str, Mapping[str, Any]],
    infiniband: Collection[str] = (),
    nameservers: Iterable[str] = (),
    search: Iterable[str] = (),
) -> Model:
    """Make a node's network of what is declared.

    What somebody else sets (``managed: false``) is left out. A default route that would go over it
    is somebody else's, too, and goes over no other.

    Args:
        interfaces: ``node_interfaces`` of the node, in the declaration's order.
        zones: ``lab_zones``.
        infiniband: the node's interfaces that are InfiniBand.
        nameservers: addresses of DNS servers.
        search: domains.

    Raises:
        NetworkError: what is declared contradicts itself, or lacks something.
    """
    for name, of in interfaces.items():
        _check(name, of, interfaces, zones)
    gateways = _gateway_interfaces(interfaces, zones)
    links = [
        _link(name, of, zones, gateways, infiniband)
        for name, of in interfaces.items()
        if is_managed(of)
    ]
    links += _implied(links, infiniband)
    links = _with_carriers_mtu(links, interfaces, zones)
    ranks = {"physical": 0, "bond": 1, "vlan": 2, "ipoib": 2}
    # Stable: the declaration's order within each rank.
    _check_infiniband(links)
    links.sort(key=lambda link: ranks[link.kind])
    return Model(tuple(links), tuple(nameservers), tuple(search))


def _zone_of(
    name: str, of: Mapping[str, Any], zones: Mapping[str, Mapping[str, Any]]
) -> Mapping[str, Any]:
    zone = of.get("zone")
    if zone is None:
        return {}
    if zone not in zones:
        msg = f"node_interfaces.{name}.zone: lab_zones has no {zone!r}"
        raise NetworkError(msg)
    return zones[zone]


def _check(
    name: str,
    of: Mapping[str, Any],
    interfaces: Mapping[str, Mapping[str, Any]],
    zones: Mapping[str, Mapping[str, Any]],
) -> None:
    at = f"node_interfaces.{name}"
    zone = _zone_of(name, of, zones)
    parent = of.get("parent")
    if parent is not None:
        if not is_managed(interfaces.get(parent, {})):
            msg = f"{at}.parent: somebody else sets {parent} (managed: false), and what is on it"
            raise NetworkError(msg)
        if parent == name or interfaces.get(parent, {}).get("parent"):
            msg = f"{at}.parent: {parent} is a VLAN itself: name the card or the bond"
            raise NetworkError(msg)
        if of.get("bond"):
            msg = f"{at}: a bond has members and no parent: leave one of the two out"
            raise NetworkError(msg)
        if bool(zone.get("vlan")) == bool(zone.get("pkey")):
            msg = (
                f"{at}.parent: zone {of.get('zone')!r} needs a vlan (Ethernet) or a pkey "
                "(InfiniBand), one of the two, by which the traffic on the parent is told apart"
            )
            raise NetworkError(msg)
        if of.get("mac"):
            msg = f"{at}.mac: it has its parent's: declare the MAC at {parent}"
            raise NetworkError(msg)
    bond = of.get("bond")
    if bond:
        for member in bond["members"]:
            owners = [other for other, body in interfaces.items() if _has_member(body, member)]
            if len(owners) > 1:
                msg = f"{at}.bond.members: {member} is a member of {' and '.join(owners)}"
                raise NetworkError(msg)
            if interfaces.get(member, {}).get("address"):
                msg = f"{at}.bond.members: {member} has an address: the bond has it, no member"
                raise NetworkError(msg)
            if interfaces.get(member, {}).get("parent") or interfaces.get(member, {}).get("bond"):
                msg = f"{at}.bond.members: {member} is no card: members are physical interfaces"
                raise NetworkError(msg)
        if bond.get("primary") and bond["primary"] not in bond["members"]:
            msg = f"{at}.bond.primary: {bond['primary']} is none of the members"
            raise NetworkError(msg)


def _check_infiniband(links: list[Link]) -> None:
    for link in links:
        if link.infiniband and link.mtu > IPOIB_MTU:
            msg = (
                f"node_interfaces.{link.name}: MTU {link.mtu} on InfiniBand, which carries at most "
                f"{IPOIB_MTU} bytes: set mtu there, or at the zone"
            )
            raise NetworkError(msg)


def _has_member(of: Mapping[str, Any], member: str) -> bool:
    return member in (of.get("bond") or {}).get("members", ())


def _gateway_interfaces(
    interfaces: Mapping[str, Mapping[str, Any]], zones: Mapping[str, Mapping[str, Any]]
) -> set[tuple[str, str]]:
    """Name the interfaces of the default routes, each with ``gateway`` or ``gateway6``."""
    chosen = [name for name, of in interfaces.items() if of.get("gateway") is True]
    if len(chosen) > 1:
        msg = f"node_interfaces: gateway is true at {' and '.join(chosen)}: leave it at one"
        raise NetworkError(msg)
    found = default_routes(interfaces, zones)
    if chosen and chosen[0] not in found.values():
        msg = (
            f"node_interfaces.{chosen[0]}.gateway: zone {interfaces[chosen[0]].get('zone')!r} has "
            "no gateway for this machine: declare it at lab_zones, or leave this key out"
        )
        raise NetworkError(msg)
    return {(name, key) for key, name in found.items()}


def _link(
    name: str,
    of: Mapping[str, Any],
    zones: Mapping[str, Mapping[str, Any]],
    gateways: set[tuple[str, str]],
    infiniband: Collection[str],
) -> Link:
    zone = _zone_of(name, of, zones)
    kind, tag = "physical", 0
    if of.get("bond"):
        kind = "bond"
    elif of.get("parent") and zone.get("pkey"):
        kind, tag = "ipoib", int(zone["pkey"]) | FULL_MEMBER
    elif of.get("parent"):
        kind, tag = "vlan", int(zone["vlan"])
    return Link(
        name,
        kind,
        int(of.get("mtu") or zone.get("mtu") or ETHERNET_MTU),
        str(of.get("mac") or "").lower(),
        name in infiniband or kind == "ipoib",
        tuple(_addresses(name, of, zone)),
        (*_default_routes(name, zone, gateways), *_routes(name, of, zone)),
        str(of.get("parent") or ""),
        tag,
        _bond(of["bond"]) if of.get("bond") else None,
    )


def _bond(of: Mapping[str, Any]) -> Bond:
    return Bond(
        str(of["mode"]),
        tuple(of["members"]),
        str(of.get("primary") or ""),
        str(of.get("lacp_rate") or ""),
        str(of.get("hash_policy") or ""),
    )


def _addresses(name: str, of: Mapping[str, Any], zone: Mapping[str, Any]) -> Iterator[str]:
    for key, network in (("address", "cidr"), ("address6", "cidr6")):
        if not of.get(key):
            continue
        if not zone.get(network):
            msg = f"node_interfaces.{name}.{key}: zone {of.get('zone')!r} has no {network}"
            raise NetworkError(msg)
        inside = ipaddress.ip_network(zone[network])
        address = ipaddress.ip_address(of[key])
        if address not in inside:
            msg = f"node_interfaces.{name}.{key}: {address} is outside {inside}"
            raise NetworkError(msg)
        yield f"{address}/{inside.prefixlen}"


def _default_routes(
    name: str, zone: Mapping[str, Any], gateways: set[tuple[str, str]]
) -> Iterator[Route]:
    if (name, "gateway") in gateways:
        yield Route("0.0.0.0/0", str(ipaddress.ip_address(zone["gateway"])))
    if (name, "gateway6") in gateways:
        yield Route("::/0", str(ipaddress.ip_address(zone["gateway6"])))


def _routes(name: str, of: Mapping[str, Any], zone: Mapping[str, Any]) -> Iterator[Route]:
    networks = [ipaddress.ip_network(zone[key]) for key in ("cidr", "cidr6") if zone.get(key)]
    for number, route in enumerate(of.get("routes") or []):
        at = f"node_interfaces.{name}.routes[{number}]"
        to, via = ipaddress.ip_network(route["to"]), ipaddress.ip_address(route["via"])
        if to.version != via.version:
            msg = f"{at}: {to} is IPv{to.version}, and its router {via} is not"
            raise NetworkError(msg)
        if not on_every_link(via) and not any(via in network for network in networks):
            msg = f"{at}.via: {via} is outside zone {of.get('zone')!r}, so nothing leads to it"
            raise NetworkError(msg)
        yield Route(str(to), str(via))


def _implied(links: list[Link], infiniband: Collection[str]) -> list[Link]:
    """Give the cards that are declared only as a bond's members or a VLAN's parent."""
    known = {link.name for link in links}
    members = [member for link in links if link.bond for member in link.bond.members]
    names = dict.fromkeys([*members, *(link.parent for link in links if link.parent)])
    return [
        Link(name, "physical", ETHERNET_MTU, infiniband=name in infiniband)
        for name in names
        if name not in known
    ]


def _with_carriers_mtu(
    links: list[Link],
    interfaces: Mapping[str, Mapping[str, Any]],
    zones: Mapping[str, Mapping[str, Any]],
) -> list[Link]:
    """Give what carries other links at least their MTU, and members their bond and its MTU.

    Raises:
        NetworkError: it would send packets into its own zone that the zone does not pass.
    """
    masters = {member: link.name for link in links if link.bond for member in link.bond.members}
    mtus = {link.name: link.mtu for link in links}
    for link in links:
        if link.parent and link.mtu > mtus[link.parent]:
            own = interfaces.get(link.parent, {})
            passes = int(_zone_of(link.parent, own, zones).get("mtu") or ETHERNET_MTU)
            if own.get("address") and link.mtu > passes:
                msg = (
                    f"node_interfaces.{link.parent}: it carries {link.name} with MTU {link.mtu}, "
                    f"and its own zone {own['zone']!r} passes {passes}: give that zone a VLAN of "
                    f"its own on {link.parent}, or raise lab_zones.{own['zone']}.mtu"
                )
                raise NetworkError(msg)
            mtus[link.parent] = link.mtu
    for member, master in masters.items():
        mtus[member] = max(mtus[master], mtus.get(member, 0))
    return [replace(link, mtu=mtus[link.name], master=masters.get(link.name, "")) for link in links]
