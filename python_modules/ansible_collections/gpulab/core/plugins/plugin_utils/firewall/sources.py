"""Where packets into a node may come from: what is against forged sources."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

from .bogons import BOGONS_4, BOGONS_6
from .policy import Address, Network, Node, Policy, Zone

#: The set of the networks that the node has an interface in.
ATTACHED = "attached"
#: The set of all networks of the lab; what is not in it is outside.
LAB = "lab"
#: The set of the sources that no stranger truthfully has.
BOGONS = "bogons"

_BOGONS = tuple(ip_network(bogon) for bogon in (*BOGONS_4, *BOGONS_6))


@dataclass(frozen=True)
class Sources:
    """The sources that a node believes of packets into one of its zones.

    Attributes:
        zone: the zone.
        attached: the networks of all zones that the node is in.
        routed: the networks that it reaches over routers in the zone.
        lab: the networks of all zones; nothing of them comes in by a public zone.
        foreign: the families in which the zone has a gateway that is another machine, which sends
            on packets from anywhere.
    """

    zone: Zone
    attached: tuple[Network, ...]
    routed: tuple[Network, ...]
    lab: tuple[Network, ...]
    foreign: frozenset[int]

    def believes(self, source: Address) -> bool:
        """Whether a packet from `source` gets past the check; the same as `rules` say."""
        if _within(source, self.zone.networks):
            return True
        if _within(source, self.attached):
            return False
        if _within(source, self.routed):
            return True
        forged = self.zone.public and _within(source, (*self.lab, *_BOGONS))
        return source.version in self.foreign and not forged

    def rules(self, zone_word: str, family: int, refuse: str) -> list[str]:
        """Return nftables' rules that accept what it believes of one family; the rest goes on.

        Args:
            zone_word: the zone's word in names of sets.
            family: 4 or 6.
            refuse: the verdict for what it does not believe.
        """
        source = "ip saddr" if family == 4 else "ip6 saddr"
        rules = []
        if any(network.version == family for network in self.zone.networks):
            rules.append(f"{source} @zone_{zone_word}_{family} accept")
        routed = [str(network) for network in self.routed if network.version == family]
        if routed or family in self.foreign:
            rules.append(f"{source} @{ATTACHED}_{family} {refuse}")
        if routed:
            rules.append(f"{source} {{ {', '.join(routed)} }} accept")
        if family in self.foreign:
            if self.zone.public:
                rules.append(f"{source} @{LAB}_{family} {refuse}")
                rules.append(f"{source} != @{BOGONS}_{family} accept")
            else:
                rules.append(f"meta nfproto ipv{family} accept")
        return rules


def sources_of(node: Node, policy: Policy) -> dict[str, Sources]:
    """Return by zone what `node` believes there."""
    own = {address for interface in node.interfaces for address in interface.addresses}
    zones = {interface.zone: policy.zones[interface.zone] for interface in node.interfaces}
    attached = tuple(network for zone in zones.values() for network in zone.networks)
    lab = tuple(network for zone in policy.zones.values() for network in zone.networks)
    return {
        name: Sources(
            zone,
            attached,
            _merged(
                route
                for interface in node.interfaces
                if interface.zone == name
                for route in interface.routes
            ),
            lab,
            frozenset(gateway.version for gateway in zone.gateways if gateway not in own),
        )
        for name, zone in sorted(zones.items())
    }


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)


def _merged(networks: Iterable[Network]) -> tuple[Network, ...]:
    found = list(networks)
    four = [network for network in found if isinstance(network, IPv4Network)]
    six = [network for network in found if isinstance(network, IPv6Network)]
    return (*collapse_addresses(four), *collapse_addresses(six))
