"""What of a ruleset is one node's own: its addresses and interfaces, as sets."""

from __future__ import annotations

from dataclasses import dataclass

from ..declaration.flow_ends import GATEWAYS
from . import rules, sets
from .endpoints import FAMILIES, Ends, in_order
from .names import checked
from .policy import Address, Node, PolicyError, Zone
from .sources import ATTACHED, Sources, sources_of


@dataclass(frozen=True)
class Machine:
    """One node's place in the lab.

    Attributes:
        node: the machine.
        zones: those that it has an interface in, by name.
        addresses: a word of `rules.own_word` → its own addresses in it, each with its interface.
        interfaces: name of a set → the interfaces in it, each with its zone.
        sources: zone → the sources that it believes there.
        router: whether it connects zones: it is a zone's gateway, or masquerades.
    """

    node: Node
    zones: dict[str, Zone]
    addresses: dict[str, tuple[tuple[Address, str], ...]]
    interfaces: dict[str, tuple[tuple[str, str], ...]]
    sources: dict[str, Sources]
    router: bool

    def has(self, zone_words: dict[str, str]) -> frozenset[str]:
        """Name the sets, own ones and those of its zones, whose rules concern it."""
        own = {
            f"{word}_{address.version}"
            for word, addresses in self.addresses.items()
            for address, _ in addresses
        }
        networks = {
            f"zone_{zone_words[name]}_{network.version}"
            for name, zone in self.zones.items()
            for network in zone.networks
        }
        return frozenset(own | networks)

    def sets(self) -> dict[str, str]:
        """Render every set that is this machine's own: name → text."""
        texts = {
            name: sets.interface_set(name, members) for name, members in self.interfaces.items()
        }
        for family in FAMILIES:
            for word, own in self.addresses.items():
                name = f"{word}_{family}"
                texts[name] = sets.address_set(name, family, own)
            name = f"{ATTACHED}_{family}"
            networks = [
                (str(network), zone)
                for zone, body in sorted(self.zones.items())
                for network in body.networks
                if network.version == family
            ]
            texts[name] = sets.network_set(name, family, networks)
        return texts


def machine(name: str, ends: Ends, zone_words: dict[str, str]) -> Machine:
    """Place one machine.

    Raises:
        PolicyError: it has no interface in a zone, or one in a zone that nobody declared.
    """
    policy, node = ends.policy, ends.policy.nodes[name]
    if not node.interfaces:
        msg = f"{name}: without node_interfaces, nothing could reach it: declare its zones"
        raise PolicyError(msg)
    for interface in node.interfaces:
        checked(f"{name}: interface", interface.name)
        if interface.zone not in policy.zones:
            msg = f"{name}: node_interfaces.{interface.name}.zone: no zone {interface.zone!r}"
            raise PolicyError(msg)
    zones = {interface.zone: policy.zones[interface.zone] for interface in node.interfaces}
    addresses = _own_addresses(node, ends, zone_words)
    masquerades = any(zone.masquerade_by == name for zone in policy.zones.values())
    return Machine(
        node,
        zones,
        {word: in_order(own) for word, own in addresses.items()},
        _own_interfaces(node, addresses, zone_words),
        sources_of(node, policy),
        masquerades or bool(addresses.get(rules.own_word(False, GATEWAYS, ""))),
    )


def _own_addresses(
    node: Node, ends: Ends, zone_words: dict[str, str]
) -> dict[str, list[tuple[Address, str]]]:
    gateways = {address for address, _ in ends.end(GATEWAYS).addresses}
    found: dict[str, list[tuple[Address, str]]] = {}
    for interface in node.interfaces:
        place = zone_words[interface.zone]
        for address in interface.addresses:
            kinds = [("", ""), ("", place), *([(GATEWAYS, "")] if address in gateways else [])]
            zone = ends.zone_of(address)
            leaves = not zone or ends.policy.zones[zone].outside
            for egress in (False, True) if leaves else (False,):
                for kind, zone_word in kinds:
                    word = rules.own_word(egress, kind, zone_word)
                    found.setdefault(word, []).append((address, interface.name))
    return found


def _own_interfaces(
    node: Node,
    addresses: dict[str, list[tuple[Address, str]]],
    zone_words: dict[str, str],
) -> dict[str, tuple[tuple[str, str], ...]]:
    zone_of = {interface.name: interface.zone for interface in node.interfaces}
    found: dict[str, set[str]] = {rules.INTERFACES: set(zone_of)}
    for name, zone in zone_of.items():
        found.setdefault(f"{rules.INTERFACES}/{zone_words[zone]}", set()).add(name)
    for word, own in addresses.items():
        found[f"{rules.INTERFACES}_{word}"] = {interface for _, interface in own}
    return {
        name: tuple((interface, zone_of[interface]) for interface in sorted(members))
        for name, members in found.items()
    }
