"""A simulated lab of many nodes, made of a small one that is there. Pure.

A lab is given by what its inventory's `hosts.yml` and `machines.yml` (playbooks/sandbox_up.yml
writes it) say.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench_nodes import own
from bench_nodes.answers import Node

Inventory = dict[str, Any]
#: In a zone's /24: what the sandbox gives out begins at .11.
_FIRST = 11
MOST = 240


@dataclass(frozen=True)
class Lab:
    """A lab's inventory, and who its nodes are.

    Attributes:
        hosts: content of hosts.yml.
        machines: content of machines.yml.
        nodes: by name.
    """

    hosts: Inventory
    machines: Inventory
    nodes: dict[str, Node]


def recorded(hosts: Inventory, machines: Inventory) -> Lab:
    """Say who the nodes of the lab that is there are."""
    return Lab(hosts, machines, _nodes(machines, {name: name for name in names(hosts)}, hosts))


def simulated(
    lab: Lab, multiplied: Sequence[str], count: int, stand_in: Mapping[str, str] | None = None
) -> Lab:
    """Make a lab with more nodes like some of another's.

    Args:
        lab: What `recorded` returned.
        multiplied: Its nodes that there are more of, the same number of each.
        count: How many nodes the lab has in all.
        stand_in: Node → another of its kind, which answers for it.

    Raises:
        ValueError: so many do not fit into a zone, or are fewer than there were.
    """
    old = names(lab.hosts)
    if not len(old) <= count <= MOST:
        msg = f"{count} nodes: from {len(old)} to {MOST} can be simulated"
        raise ValueError(msg)
    like = {name: (stand_in or {}).get(name, name) for name in old}
    for number in range(count - len(old)):
        like[f"sim{number + 1:03}"] = multiplied[number % len(multiplied)]
    hosts = copy.deepcopy(lab.hosts)
    _multiply(hosts, like)
    machines = _machines(lab.machines, like)
    return Lab(hosts, machines, _nodes(machines, like, hosts))


def names(hosts: Inventory) -> list[str]:
    """Name the nodes of an inventory, in its order."""
    found = [name for group in _groups(hosts) for name in group.get("hosts") or {}]
    return list(dict.fromkeys(found))


def _groups(tree: Inventory) -> Iterator[Inventory]:
    for group in tree.values():
        if group:
            yield group
            yield from _groups(group.get("children") or {})


def _multiply(hosts: Inventory, like: Mapping[str, str]) -> None:
    for group in _groups(hosts):
        there = group.get("hosts") or {}
        for name, old in like.items():
            if old in there and name not in there:
                there[name] = copy.deepcopy(there[old])


def _machines(machines: Inventory, like: Mapping[str, str]) -> Inventory:
    """Give each node addresses in networks that are nobody's: 10.240.x.0/24, fd47::x:0/112."""
    old = machines["all"]
    zones = list(old["vars"]["sandbox_subnets"])
    number = {zone: at for at, zone in enumerate(zones)}
    hosts = {}
    for at, (name, before) in enumerate(like.items()):
        last = _FIRST + at
        interfaces = {
            device: {
                **interface,
                "address": f"10.240.{number[interface['zone']]}.{last}",
                "address6": f"fd47:{number[interface['zone']] + 1:x}::{last}",
            }
            for device, interface in old["hosts"][before]["node_interfaces"].items()
        }
        first = next(iter(interfaces.values()))
        hosts[name] = {"ansible_host": first["address"], "node_interfaces": interfaces}
    variables = {
        "ansible_user": old["vars"]["ansible_user"],
        "ansible_python_interpreter": old["vars"]["ansible_python_interpreter"],
        "sandbox_subnets": {zone: f"10.240.{number[zone]}.0/24" for zone in zones},
        "sandbox_subnets6": {zone: f"fd47:{number[zone] + 1:x}::/64" for zone in zones},
        "sandbox_gateways": {zone: f"10.240.{number[zone]}.1" for zone in zones},
        "sandbox_gateways6": {zone: f"fd47:{number[zone] + 1:x}::1" for zone in zones},
    }
    return {"all": {"vars": variables, "hosts": hosts}}


def _nodes(machines: Inventory, like: Mapping[str, str], hosts: Inventory) -> dict[str, Node]:
    zones = _zones(machines, _head(hosts))
    return {
        name: Node(
            name,
            old,
            own.identity(name, machines["all"]["hosts"][name]["node_interfaces"], zones),
        )
        for name, old in like.items()
    }


def _head(hosts: Inventory) -> str:
    controllers = (hosts["all"].get("children") or {}).get("controllers") or {}
    return next(iter(controllers.get("hosts") or {}), "")


def _zones(machines: Inventory, head: str) -> dict[str, dict[str, str]]:
    variables = machines["all"]["vars"]
    zones: dict[str, dict[str, str]] = {zone: {} for zone in variables["sandbox_subnets"]}
    for part in ("subnet", "gateway"):
        for version in ("", "6"):
            for zone, text in (variables.get(f"sandbox_{part}s{version}") or {}).items():
                zones[zone][f"{part}{version}"] = text
    interfaces = (machines["all"]["hosts"].get(head) or {}).get("node_interfaces") or {}
    for interface in interfaces.values():
        for version in ("", "6"):
            if f"address{version}" in interface:
                zones[interface["zone"]][f"head{version}"] = interface[f"address{version}"]
    return zones
