"""Check what identifies machines: groups, serials, MACs, rack units and disks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .claims import Claim, conflicts
from .host_names import RIGHT, host_name_problem, label
from .model import Declaration, Host, Path, Problem, mapping, sequence, text, whole

KINDS_OF_MACHINE = ("controllers", "compute", "storage", "edge")


def machine_problems(declaration: Declaration) -> list[Problem]:
    """Check the nodes one by one, and against each other."""
    hosts = declaration.by_name()
    problems = [problem for host in hosts for problem in _one(host)]
    if hosts and not any("controllers" in host.groups for host in hosts):
        right = "put the machine that serves the others (time, installation) into 'controllers'"
        problems.append(Problem("", ("controllers",), "the group has no machine", right))
    labels = [
        Claim(label(host.name), host.name, (), f"the host name '{label(host.name)}'")
        for host in hosts
    ]
    problems += conflicts(labels, "a first label of its own: the machine calls itself by it")
    serials = [
        Claim(host.variables["node_serial"].strip(), host.name, ("node_serial",), "this serial")
        for host in hosts
        if text(host.variables.get("node_serial"))
    ]
    problems += conflicts(serials, "the serial number on the machine's own label")
    macs = (claim for host in hosts for claim in _macs(host))
    problems += conflicts(macs, "the interface's own MAC address (ip link)")
    disks = (claim for host in hosts for claim in _disks(host))
    problems += conflicts(disks, "the serial of the machine's own disk (lsblk -do NAME,SERIAL)")
    problems += conflicts(_rack_units(declaration), "the lowest rack unit that it really fills")
    return problems


def _one(host: Host) -> Iterator[Problem]:
    if wrong := host_name_problem(host.name):
        yield Problem(host.name, (), wrong, f"{RIGHT}: the machine gets its host name of it")
    # `localhost` in an inventory is the controller running tasks for itself, no node of the lab.
    if host.name != "localhost" and not set(KINDS_OF_MACHINE) & set(host.groups):
        right = f"list it in one of {', '.join(KINDS_OF_MACHINE)}"
        yield Problem(host.name, (), "the machine is in no group that says what it is", right)
    root = mapping(host.variables.get("node_root_disk")).get("serial")
    for number, serial in enumerate(sequence(host.variables.get("node_protected_disks"))):
        if text(serial) and serial == root:
            right = "a disk is either erased by installations or protected from them, not both"
            path = ("node_protected_disks", number)
            yield Problem(host.name, path, "this is also the serial of node_root_disk", right)


def _macs(host: Host) -> Iterator[Claim]:
    """Claims to MACs; node_mac repeats the MAC of the interface to install from, rightly."""
    seen = set()
    for path, mac in _mac_paths(host):
        if isinstance(mac, str):
            own = path == ("node_mac",) and mac.lower() in seen
            seen.add(mac.lower())
            if not own:
                yield Claim(mac.lower(), host.name, path, mac)


def _mac_paths(host: Host) -> Iterator[tuple[Path, Any]]:
    interfaces = mapping(host.variables.get("node_interfaces"))
    for name, body in sorted(interfaces.items(), key=str):
        yield ("node_interfaces", str(name), "mac"), mapping(body).get("mac")
    yield ("node_mac",), host.variables.get("node_mac")


def _disks(host: Host) -> Iterator[Claim]:
    root = mapping(host.variables.get("node_root_disk")).get("serial")
    if text(root):
        yield Claim(root, host.name, ("node_root_disk", "serial"), "this disk")
    for number, serial in enumerate(sequence(host.variables.get("node_protected_disks"))):
        if text(serial) and serial != root:
            yield Claim(serial, host.name, ("node_protected_disks", number), "this disk")


def _rack_units(declaration: Declaration) -> Iterator[Claim]:
    places: list[tuple[str, Path, Any, Any]] = [
        (
            host.name,
            ("node_unit",),
            host.variables.get("node_rack"),
            host.variables.get("node_unit"),
        )
        for host in declaration.by_name()
    ]
    for name, body in sorted(mapping(declaration.lab.get("lab_upses")).items(), key=str):
        ups = mapping(body)
        places.append(("", ("lab_upses", str(name), "unit"), ups.get("rack"), ups.get("unit")))
    for owner, path, rack, unit in places:
        if text(rack) and whole(unit) is not None:
            yield Claim((rack, unit), owner, path, f"unit {unit} of rack {rack}")
