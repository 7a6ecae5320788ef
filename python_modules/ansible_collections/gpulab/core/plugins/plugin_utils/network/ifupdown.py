"""The file of ifupdown (interfaces(5)), for Debian where it sets the addresses.

Bonds, VLANs and partitions are made by iproute2, which is always there, and not by the packages
vlan and ifenslave.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from .files import HEADER, LINK_MONITOR_MS, Files, defaults, name_files, plain_routes
from .model import Bond, Link, Model, NetworkError

PATH = "/etc/network/interfaces.d/gpulab"
MAIN = "/etc/network/interfaces"
MODE = "0644"
#: ``MAIN`` without the declared interfaces, as Debian's installer has it.
MAIN_TEXT = (
    f"{HEADER}source {MAIN}.d/*\n\nauto lo\niface lo inet loopback\n"
)  # fmt: skip


def render(model: Model) -> Files:
    """Render one file below ``/etc/network/interfaces.d``, what is below before what is on top.

    Raises:
        NetworkError: a name means another VLAN to ifupdown.
    """
    for link in model.links:
        _check_name(link)
    stanzas = ["\n".join(_stanzas(model, link)) for link in model.links]
    files = name_files(model)
    files[PATH] = (HEADER + "\n\n".join(stanzas) + "\n", MODE)
    return files


def _check_name(link: Link) -> None:
    """Refuse a name that ifupdown makes a VLAN of by itself, before it reads what we say."""
    carrier, dot, number = link.name.rpartition(".")
    own = f"{link.tag:04x}" if link.kind == "ipoib" else str(link.tag)
    if dot and link.kind != "physical" and (carrier, number) != (link.parent, own):
        msg = (
            f"node_interfaces.{link.name}: ifupdown reads the name as {number} on {carrier}: call "
            f"it {link.parent}.{own}, or something without a dot"
        )
        raise NetworkError(msg)


def _stanzas(model: Model, link: Link) -> Iterator[str]:
    yield f"auto {link.name}"
    families = [ipaddress.ip_interface(address).version for address in link.addresses]
    if not families:
        yield f"iface {link.name} inet manual"
        yield from _indented(_make(link))
        yield f"    up ip link set dev {link.name} mtu {link.mtu} up"
        yield from _indented(_unmake(link))
    for number, (version, address) in enumerate(zip(families, link.addresses)):
        yield f"iface {link.name} {'inet' if version == 4 else 'inet6'} static"
        if number == 0:
            yield from _indented(_make(link))
        yield f"    address {address}"
        yield from (f"    gateway {via}" for of, via in defaults(link) if of == version)
        yield f"    mtu {link.mtu}"
        if version == 6:
            yield "    accept_ra 0"
            # Not waited for: without a cable it would never be over, and the link be taken back.
            yield "    dad-attempts 0"
        for to, via in plain_routes(link):
            if ipaddress.ip_network(to).version == version:
                yield f"    up ip route replace {to} via {via} dev {link.name}"
        if number == 0:
            yield from _indented(_resolver(model, link))
            yield from _indented(_unmake(link))


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"    {line}" for line in lines)


def _make(link: Link) -> Iterator[str]:
    """Give what makes a link that the node does not have by itself, unless it is there."""
    there = f"test -e /sys/class/net/{link.name} ||"
    if link.bond:
        yield f"pre-up {there} ip link add {link.name} type bond {_bond_options(link.bond)}"
        # A card joins a bond while it is down.
        for member in link.bond.members:
            yield (
                f"pre-up test -e /sys/class/net/{link.name}/lower_{member} || "
                f"{{ ip link set {member} down && ip link set {member} master {link.name}; }}"
            )
        if link.bond.primary:
            yield f"pre-up ip link set {link.name} type bond primary {link.bond.primary}"
    elif link.kind == "vlan":
        yield (
            f"pre-up {there} "
            f"ip link add link {link.parent} name {link.name} type vlan id {link.tag}"
        )
    elif link.kind == "ipoib":
        yield (
            f"pre-up {there} ip link add link {link.parent} name {link.name} "
            f"type ipoib pkey {link.tag:#06x} mode datagram"
        )


def _bond_options(bond: Bond) -> str:
    options = f"mode {bond.mode} miimon {LINK_MONITOR_MS}"
    if bond.lacp_rate:
        options += f" lacp_rate {bond.lacp_rate}"
    if bond.hash_policy:
        options += f" xmit_hash_policy {bond.hash_policy}"
    return options


def _unmake(link: Link) -> Iterator[str]:
    if link.virtual:
        yield f"post-down ip link delete dev {link.name} || true"


def _resolver(model: Model, link: Link) -> Iterator[str]:
    """Name the DNS servers, for resolvconf where it is installed."""
    if link.name == model.resolver_link:
        if model.nameservers:
            yield f"dns-nameservers {' '.join(model.nameservers)}"
        if model.search:
            yield f"dns-search {' '.join(model.search)}"
