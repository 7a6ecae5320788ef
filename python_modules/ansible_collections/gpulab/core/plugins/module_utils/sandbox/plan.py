"""Decide a sandbox's subnets and addresses. Pure: what is taken already comes in as arguments."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .errors import SandboxError

#: Where subnets are taken from, in this order: RFC 1918, from the parts that VPNs and home
#: routers use least to those they use most.
POOLS = ("10.192.0.0/10", "172.24.0.0/13", "10.64.0.0/10", "192.168.128.0/17")
#: A zone's prefix length: room for the 50 machines of a large lab several times over.
PREFIX = 24
_HOST_BITS = 2 ** (32 - PREFIX) - 1
#: The host number of the first machine; 1 is the engine's gateway, below 10 stays free.
FIRST_HOST = 11


@dataclass(frozen=True)
class Machine:
    """One machine of the sandbox.

    Attributes:
        name: the inventory's host name.
        kind: ``container`` or ``vm``.
        zones: the zones it is attached to; SSH goes to its address in the first one.
        memory_mib: RAM of a ``vm``, MiB.
        cpus: virtual CPUs of a ``vm``.
        disks: extra disks of a ``vm``: ``{"serial", "size_gib", "kind": "ssd"|"hdd"}`` each.
        image: reference of the image that it starts from, or "" for its kind's.
    """

    name: str
    kind: str
    zones: tuple[str, ...]
    memory_mib: int = 1024
    cpus: int = 2
    disks: tuple[dict[str, Any], ...] = ()
    image: str = ""


@dataclass(frozen=True)
class Plan:
    """Where everything is.

    Attributes:
        subnets: zone → IPv4 network in CIDR notation.
        addresses: machine → zone → IPv4 address.
        subnets6: zone → IPv6 network in CIDR notation.
    """

    subnets: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, dict[str, str]] = field(default_factory=dict)
    subnets6: dict[str, str] = field(default_factory=dict)

    def address6(self, machine: str, zone: str) -> str:
        """Give a machine's IPv6 address in a zone: its host number, as it reads in IPv4.

        Machine 11 is ``::11``, which is 17 as a number.
        """
        number = int(ipaddress.ip_address(self.addresses[machine][zone])) & _HOST_BITS
        return str(ipaddress.IPv6Network(self.subnets6[zone])[int(str(number), 16)])

    def gateway(self, zone: str) -> str:
        """Give the engine's own IPv4 address in a zone (its first host address)."""
        return str(ipaddress.ip_network(self.subnets[zone])[1])

    def gateway6(self, zone: str) -> str:
        """Give the engine's own IPv6 address in a zone (its first host address)."""
        return str(ipaddress.IPv6Network(self.subnets6[zone])[1])


def subnet6(lab: str, zone: str) -> str:
    """Give a zone's IPv6 network: a unique local one (RFC 4193), of the names alone.

    All 56 bits after the prefix are a hash, so that a zone's network depends on no other zone, and
    that no two labs meet.
    """
    digest = hashlib.sha256(f"{lab}/{zone}".encode()).digest()
    return str(ipaddress.IPv6Network((bytes([0xFD]) + digest[:7] + bytes(8), 64)))


def _overlaps(network: str, others: Iterable[str]) -> bool:
    """Say whether an IPv4 network shares addresses with any of others (IPv6 ones never do)."""
    own = ipaddress.IPv4Network(network)
    nets = (ipaddress.ip_network(other) for other in others)
    return any(net.version == 4 and own.overlaps(net) for net in nets)


def _free_subnets(busy: Iterable[str]) -> Iterator[ipaddress.IPv4Network]:
    """Yield the /24s of the pools that overlap nothing that is taken."""
    taken = [net for net in map(ipaddress.ip_network, busy) if net.version == 4]
    for pool in POOLS:
        for candidate in ipaddress.IPv4Network(pool).subnets(new_prefix=PREFIX):
            if not any(candidate.overlaps(net) for net in taken):
                yield candidate


def plan(
    lab: str,
    zones: Iterable[str],
    machines: Iterable[Machine],
    busy: Iterable[str],
    former: Plan,
    made: Collection[str] = (),
) -> Plan:
    """Give each zone a subnet and each machine an address in each of its zones.

    What ``former`` has is kept, so that a second start changes nothing; the rest gets the first
    free subnet and the first free host number. A subnet that somebody else took between an
    interrupted start and this one is given up.

    Args:
        lab: the lab's id on this host.
        zones: the zones of the lab.
        machines: the machines, in the inventory's order.
        busy: networks in use on this host, CIDR.
        former: the plan of an earlier start, or an empty one.
        made: the zones whose networks exist, and so are busy themselves.

    Raises:
        SandboxError: when a machine names no zone or an unknown one, or nothing is free.
    """
    zones, machines = list(zones), list(machines)
    for machine in machines:
        if not machine.zones:
            msg = f"{machine.name}: sandbox_zones is empty: name at least one zone of lab_zones"
            raise SandboxError(msg)
        for zone in machine.zones:
            if zone not in zones:
                msg = (
                    f"{machine.name}: sandbox_zones names {zone!r}, which lab_zones does not "
                    f"declare (it has {', '.join(zones) or 'none'})"
                )
                raise SandboxError(msg)
    busy = list(busy)
    subnets = {
        zone: net
        for zone, net in former.subnets.items()
        if zone in zones and (zone in made or not _overlaps(net, busy))
    }
    free = _free_subnets([*busy, *subnets.values()])
    for zone in zones:
        if zone not in subnets:
            subnet = next(free, None)
            if subnet is None:
                msg = f"no private /{PREFIX} is free on this host for zone {zone!r}"
                raise SandboxError(msg)
            subnets[zone] = str(subnet)
    subnets6 = {zone: subnet6(lab, zone) for zone in zones}
    return Plan(subnets, _addresses(machines, subnets, former), subnets6)


def _addresses(
    machines: list[Machine], subnets: dict[str, str], former: Plan
) -> dict[str, dict[str, str]]:
    """Number the machines: the same host number in every zone, former numbers kept."""
    numbers = {
        name: int(ipaddress.ip_address(address)) & _HOST_BITS
        for name, by_zone in former.addresses.items()
        for address in by_zone.values()
    }
    unused = (n for n in range(FIRST_HOST, _HOST_BITS) if n not in numbers.values())
    result: dict[str, dict[str, str]] = {}
    for machine in machines:
        number = numbers.get(machine.name) or next(unused, None)
        if number is None:
            msg = f"{machine.name}: no host number is left in a /{PREFIX}"
            raise SandboxError(msg)
        result[machine.name] = {
            zone: str(ipaddress.ip_network(subnets[zone])[number]) for zone in machine.zones
        }
    return result


def parse_routes(proc_net_route: str) -> list[str]:
    """Read the destinations in ``/proc/net/route`` as CIDR networks, the default route left out.

    The file gives addresses and masks as little-endian hexadecimal words.
    """
    networks = []
    for line in proc_net_route.splitlines()[1:]:
        columns = line.split()
        if len(columns) > 7:
            address, mask = (
                ipaddress.IPv4Address(int.from_bytes(bytes.fromhex(columns[i]), "little"))
                for i in (1, 7)
            )
            if int(mask):
                networks.append(str(ipaddress.ip_network(f"{address}/{mask}", strict=False)))
    return networks
