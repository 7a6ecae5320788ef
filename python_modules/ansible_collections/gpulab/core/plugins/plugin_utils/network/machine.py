"""The node's interfaces, as ``ip -json`` tells them, against what is declared."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..declaration.kernel_names import ADVICE, kind_of_name
from .model import Link, Model

#: Kinds of interface that this role makes; all others are left alone.
MADE_KINDS = ("bond", "vlan", "ipoib")
#: What the kernel called a card first that udev has named so since (systemd.net-naming-scheme(7)).
_FIRST_NAMES = {"ib": "ib", "wl": "wlan", "ww": "wwan"}


@dataclass(frozen=True)
class Present:
    """One interface of the machine.

    Attributes:
        name: its name.
        physical: whether it is a card (or a card's end in a virtual machine).
        infiniband: whether it is InfiniBand.
        mac: the card's own, also while a bond has given it another.
        mtu: largest packet, bytes.
        kind: ``vlan``, ``bond`` and so on, or "".
        tag: the VLAN tag or partition key.
        mode: of a bond.
        parent: what a VLAN or partition is on.
        master: the bond or bridge it is in.
        addresses: its global addresses with prefix length, those that a lease gave left out.
        leased: whether it has an address by a lease or a router's advertisement.
    """

    name: str
    physical: bool = False
    infiniband: bool = False
    mac: str = ""
    mtu: int = 0
    kind: str = ""
    tag: int = 0
    mode: str = ""
    parent: str = ""
    master: str = ""
    addresses: tuple[str, ...] = ()
    leased: bool = False


@dataclass(frozen=True)
class Way:
    """A route of the node; ``to`` as a network."""

    to: str
    via: str
    link: str


def parse_links(
    shown: list[dict[str, Any]], cards: Mapping[str, str], permanent: Mapping[str, str]
) -> dict[str, Present]:
    """Read ``ip -json -details address``.

    Args:
        shown: what it printed.
        cards: name → driver of what is hardware.
        permanent: name → MAC that the card itself has, where a bond has given it another.
    """
    found = {}
    for entry in shown:
        name = entry.get("ifname", "")
        if not name or entry.get("link_type") == "loopback":
            continue
        info = entry.get("linkinfo") or {}
        data = info.get("info_data") or {}
        tag = data.get("id", data.get("pkey", 0))
        addresses = [
            address for address in entry.get("addr_info", []) if address.get("scope") == "global"
        ]
        found[name] = Present(
            name,
            name in cards,
            entry.get("link_type") == "infiniband",
            permanent.get(name, str(entry.get("address", ""))).lower(),
            int(entry.get("mtu", 0)),
            str(info.get("info_kind", "")),
            int(str(tag), 0),
            str(data.get("mode", "")),
            str(entry.get("link", "")),
            str(entry.get("master", "")),
            tuple(
                f"{address['local']}/{address['prefixlen']}"
                for address in addresses
                if not address.get("dynamic")
            ),
            any(address.get("dynamic") for address in addresses),
        )
    return found


def parse_routes(shown: list[dict[str, Any]], version: int) -> list[Way]:
    """Read ``ip -json route show`` of one IP version: the routes that have a router."""
    everything = "0.0.0.0/0" if version == 4 else "::/0"
    return [
        Way(
            everything
            if entry["dst"] == "default"
            else str(ipaddress.ip_network(entry["dst"], strict=False)),
            str(entry["gateway"]),
            str(entry.get("dev", "")),
        )
        for entry in shown
        if entry.get("gateway") and entry.get("dst")
    ]


def problems(model: Model, there: Mapping[str, Present]) -> Iterator[str]:
    """Say where the declared cards are not the node's, before anything is touched."""
    cards = {name: link for name, link in there.items() if link.physical}
    shown = ", ".join(f"{name} ({link.mac})" for name, link in sorted(cards.items())) or "none"
    for link in model.links:
        at = f"node_interfaces.{link.name}"
        if link.virtual:
            if link.name in cards:
                yield f"{at}: {link.name} is a card of this machine: call the {link.kind} otherwise"
            continue
        present = there.get(link.name)
        owner = next(
            (name for name, card in cards.items() if link.mac and card.mac == link.mac), ""
        )
        if owner and owner != link.name:
            yield f"{at}.mac: {link.mac} is {owner} on this machine: declare it by that name"
        elif present is None:
            yield f"{at}: this machine has no interface {link.name}; its cards are {shown}"
        elif link.mac and present.mac != link.mac:
            yield (
                f"{at}.mac: {link.name} of this machine has {present.mac}, not {link.mac}: correct "
                "the MAC, or look whether a card was exchanged"
            )
        elif link.mac and kind_of_name(link.name):
            rivals = sorted(set(_rivals(link.name, cards.values())) - {link.name})
            if rivals:
                yield (
                    f"{at}.mac: {link.name} is a name that the kernel gives in the order in which "
                    f"it finds the cards, so a boot may give it to {' or '.join(rivals)}, and the "
                    f"firewall with it: {ADVICE}"
                )


def _rivals(name: str, cards: Iterable[Present]) -> Iterator[str]:
    """Name the cards to which the kernel gives names of the same kind at first."""
    for card in cards:
        first = "ib" if card.infiniband else _FIRST_NAMES.get(card.name[:2], "eth")
        if (kind_of_name(card.name) or first) == kind_of_name(name):
            yield card.name


def differences(model: Model, there: Mapping[str, Present], ways: list[Way]) -> Iterator[str]:
    """Say where what runs is not what is declared; nothing where it is.

    Addresses and routes that are there besides are no difference: a cluster's floating address is
    somebody else's business.
    """
    for link in model.links:
        present = there.get(link.name)
        if present is None:
            yield f"{link.name} is not there"
            continue
        if link.virtual and not _is_made_so(link, present):
            yield f"{link.name} is a {present.kind or 'card'} made otherwise"
        if present.mtu != link.mtu:
            yield f"{link.name} has MTU {present.mtu}, not {link.mtu}"
        if link.master and present.master != link.master:
            yield f"{link.name} is not in {link.master}"
        for address in link.addresses:
            if address not in present.addresses:
                yield f"{link.name} has not the address {address}"
        for route in link.routes:
            if Way(route.to, route.via, link.name) not in ways:
                yield f"there is no route to {route.to} via {route.via} on {link.name}"


def _is_made_so(link: Link, present: Present) -> bool:
    if present.kind != link.kind:
        return False
    if link.bond:
        return present.mode == link.bond.mode
    return present.tag == link.tag and present.parent == link.parent


def stale(
    model: Model,
    there: Mapping[str, Present],
    former: set[str],
    foreign: Collection[str] = (),
) -> list[str]:
    """Name the interfaces that must go before they are made again, or for good.

    No back end changes what a VLAN or a bond is made of while it exists. What is on top of one goes
    with it.

    Args:
        model: as declared.
        there: as is.
        former: words of the files that this role wrote before.
        foreign: interfaces that somebody else sets, from now on if not before.
    """
    declared = {link.name: link for link in model.links}
    gone = []
    for name, present in there.items():
        if present.kind not in MADE_KINDS or name in foreign:
            continue
        link = declared.get(name)
        if (link is None and name.lower() in former) or (link and not _is_made_so(link, present)):
            gone.append(name)
    gone += [name for name, link in there.items() if link.parent in gone and name not in gone]
    # What is on top goes first.
    return sorted(gone, key=lambda name: (not there[name].parent, name))
