"""Check zones, flows, interfaces and BMC addresses against each other."""

from __future__ import annotations

from collections.abc import Iterator

from .addresses import parse_address
from .claims import Claim, conflicts
from .flows import flow_problems
from .interfaces import interface_problems, interfaces_of
from .links import link_problems
from .model import Declaration, Host, Path, Problem, mapping, show
from .zones import Zone, read_zones, zone_problems


def network_problems(declaration: Declaration) -> list[Problem]:
    """Check everything that has to do with the lab's networks."""
    zones = read_zones(declaration)
    problems = list(zone_problems(declaration, zones))
    problems += flow_problems(declaration, zones)
    if "lab_zones" in declaration.lab:
        declared = mapping(declaration.lab["lab_zones"])
        for host in declaration.by_name():
            problems += interface_problems(host, zones)
            problems += link_problems(host, zones, declared)
            problems += _bmc(host, zones)
    elif any(mapping(host.variables.get("node_interfaces")) for host in declaration.hosts):
        right = "declare the zones that node_interfaces refers to, each with its cidr"
        problems.append(Problem("", ("lab_zones",), "this key is missing", right))
    right = "give each interface and each BMC an address of its own"
    problems += conflicts(_address_claims(declaration), right)
    return problems


def _bmc(host: Host, zones: dict[str, Zone]) -> Iterator[Problem]:
    given = mapping(host.variables.get("node_bmc")).get("address")
    if not isinstance(given, str):
        return
    path = ("node_bmc", "address")
    address = parse_address(given)
    if address is None:
        right = "an IP address without a prefix length"
        yield Problem(host.name, path, f"{show(given)} is not an IP address", right)
    elif not address.is_loopback:  # An emulated BMC may listen on the controller itself.
        networks = [network for zone in zones.values() for network in zone.networks.values()]
        if networks and not any(address in network for network in networks):
            right = "the BMC's address inside the zone that it is cabled to"
            yield Problem(host.name, path, f"{address} is in no zone", right)


def _address_claims(declaration: Declaration) -> Iterator[Claim]:
    for host in declaration.by_name():
        for name, body in sorted(interfaces_of(host).items()):
            for key in ("address", "address6"):
                if address := parse_address(body.get(key)):
                    path: Path = ("node_interfaces", name, key)
                    yield Claim(address, host.name, path, str(address))
        address = parse_address(mapping(host.variables.get("node_bmc")).get("address"))
        if address and not address.is_loopback:
            yield Claim(address, host.name, ("node_bmc", "address"), str(address))
