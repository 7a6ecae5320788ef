"""Files of systemd-networkd (systemd.network(5), systemd.netdev(5)). Read by 249 and newer."""

from __future__ import annotations

from collections.abc import Iterator

from .files import (
    HEADER,
    LINK_MONITOR_MS,
    PREFIX,
    UDEV_FOLDER,
    Files,
    defaults,
    name_files,
    optional,
    plain_routes,
)
from .model import Link, Model

#: Readable by networkd's own user; they hold no secret.
MODE = "0644"


def render(model: Model) -> Files:
    """Render a ``.network`` for each link, and a ``.netdev`` for each that must be made first."""
    files = name_files(model)
    for link in model.links:
        if link.virtual:
            files[f"{UDEV_FOLDER}/{PREFIX}{link.name}.netdev"] = (netdev(link), MODE)
        files[f"{UDEV_FOLDER}/{PREFIX}{link.name}.network"] = (network(model, link), MODE)
    return files


def netdev(link: Link) -> str:
    """Render the file that makes a bond, a VLAN or a partition's interface."""
    kind, special = link.kind, list[str]()
    if link.bond:
        bond = link.bond
        special = ["[Bond]", f"Mode={bond.mode}", f"MIIMonitorSec={LINK_MONITOR_MS}ms"]
        if bond.lacp_rate:
            special.append(f"LACPTransmitRate={bond.lacp_rate}")
        if bond.hash_policy:
            special.append(f"TransmitHashPolicy={bond.hash_policy}")
    elif link.kind == "vlan":
        special = ["[VLAN]", f"Id={link.tag}"]
    else:
        special = ["[IPoIB]", f"PartitionKey={link.tag:#06x}", "Mode=datagram"]
    lines = ["[NetDev]", f"Name={link.name}", f"Kind={kind}", f"MTUBytes={link.mtu}", "", *special]
    return HEADER + "\n".join(lines) + "\n"


def network(model: Model, link: Link) -> str:
    """Render the file that gives a link its addresses, routes, and what it carries."""
    match = f"PermanentMACAddress={link.mac}" if link.mac else f"Name={link.name}"
    if link.mac and link.virtual:
        # A bond's own MAC is set, and no card's.
        match = f"Name={link.name}"
    lines = ["[Match]", match, "", "[Link]", f"MTUBytes={link.mtu}"]
    if optional(link):
        lines.append("RequiredForOnline=no")
    lines += ["", "[Network]", *_network(model, link)]
    for to, via in plain_routes(link):
        lines += ["", "[Route]", f"Destination={to}", f"Gateway={via}"]
    return HEADER + "\n".join(lines) + "\n"


def _network(model: Model, link: Link) -> Iterator[str]:
    if link.master:
        yield f"Bond={link.master}"
        master = next(other for other in model.links if other.name == link.master)
        if master.bond and master.bond.primary == link.name:
            yield "PrimarySlave=true"
        return
    yield f"LinkLocalAddressing={'ipv6' if link.addresses else 'no'}"
    yield "DHCP=no"
    yield "IPv6AcceptRA=no"
    for address in link.addresses:
        yield f"Address={address}"
    for _version, via in defaults(link):
        yield f"Gateway={via}"
    if link.name == model.resolver_link:
        yield from (f"DNS={server}" for server in model.nameservers)
        if model.search:
            yield f"Domains={' '.join(model.search)}"
    for other in model.on_top_of(link.name):
        yield f"{'VLAN' if other.kind == 'vlan' else 'IPoIB'}={other.name}"
