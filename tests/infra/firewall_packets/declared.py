"""What a scenario declares may pass, worked out from its YAML by code of the tests' own.

On purpose nothing here imports the project: the firewall's compiler, its policy and its matrix are
what the packets are held against, so a mistake of theirs must not be repeated here. A few plain
loops over addresses are enough for six machines.
"""

from __future__ import annotations

import ast
import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Union

import jinja2
import yaml

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


@dataclass
class Lab:
    """What is declared, and how the sandbox is wired.

    Attributes:
        zones: ``lab_zones``.
        machines: node of the lab → zone → its addresses there.
        attached: node of the sandbox → the zones whose networks it is plugged into.
        groups: group → machines.
        flows: ``lab_flows`` and what roles contribute.
    """

    zones: dict[str, dict[str, Any]]
    machines: dict[str, dict[str, list[Address]]]
    attached: dict[str, set[str]]
    groups: dict[str, set[str]]
    flows: list[dict[str, Any]] = field(default_factory=list)
    _has: dict[tuple[str, Address], bool] = field(default_factory=dict)

    def zone_of(self, address: Address) -> str | None:
        """Name the zone of an address, or None for what is outside the lab."""
        for name, zone in self.zones.items():
            for key in ("cidr", "cidr6"):
                if zone.get(key) and address in ipaddress.ip_network(zone[key]):
                    return name
        return None

    def gateways(self, zone: str) -> list[Address]:
        """Give the routers of a zone."""
        return [
            ipaddress.ip_address(self.zones[zone][key])
            for key in ("gateway", "gateway6")
            if self.zones[zone].get(key)
        ]

    def has(self, end: str, address: Address) -> bool:
        """Say whether an end of a flow contains an address."""
        # Ten thousand packets are between a few dozen addresses.
        if (end, address) not in self._has:
            self._has[end, address] = self._contains(end, address)
        return self._has[end, address]

    def _contains(self, end: str, address: Address) -> bool:
        zone = self.zone_of(address)
        if end in self.zones:
            return zone == end
        if end == "outside":
            return zone is None
        if end == "gateways":
            return any(address in self.gateways(name) for name in self.zones)
        who, _, where = end.partition("@")
        members = set(self.machines) if who == "all" else self.groups.get(who, {who})
        return any(
            address in addresses
            # A role may name a group that the lab does not have: nobody is in it.
            for name in members & set(self.machines)
            for zone, addresses in self.machines[name].items()
            if where in ("", zone)
        )

    def flows_for(
        self, source: Address, target: Address, protocol: str, port: int
    ) -> list[dict[str, Any]]:
        """Give the flows that let a first packet through."""
        if source.version != target.version:
            return []
        if self.zone_of(target) is None and not self._may_leave(source):
            return []
        return [
            flow
            for flow in self.flows
            if self.has(flow["from"], source)
            and self.has(flow["to"], target)
            and (flow["to"] != "gateways" or self._may_leave(source))
            and (
                flow["protocol"] == "any"
                or (
                    flow["protocol"] == protocol
                    and (protocol == "icmp" or covers(flow.get("ports", []), port))
                )
            )
        ]

    def _may_leave(self, source: Address) -> bool:
        zone = self.zone_of(source)
        if zone is None:
            return True
        return bool(self.zones[zone].get("outside", bool(self.gateways(zone))))

    def reachable(self, sender: str, source: Address, receiver: str, target: Address) -> bool:
        """Say whether the scenario's routes carry a packet there, and the answer back."""
        return self._routed(sender, receiver, target) and self._routed(receiver, sender, source)

    def _routed(self, sender: str, receiver: str, target: Address) -> bool:
        """Say whether a packet arrives: only zones with a gateway are routed into.

        A router answers for all its addresses, on whichever side it is asked.
        """
        zone = self.zone_of(target)
        if zone is None or self.gateways(zone) or zone in self.attached[sender]:
            return True
        routers = {check for name in self.attached[sender] for check in self.gateways(name)}
        return any(routers & set(own) for own in self.machines[receiver].values())


def covers(ports: list[Any], port: int) -> bool:
    """Say whether a port is among ports and ranges such as ``"30000-30100"``."""
    for entry in ports:
        first, _, last = str(entry).partition("-")
        if int(first) <= port <= int(last or first):
            return True
    return False


def read(inventory: Path, roles: Path) -> Lab:
    """Read a running scenario's inventory, and the flows that roles contribute."""
    hosts = yaml.safe_load((inventory / "hosts.yml").read_text())["all"]
    made = yaml.safe_load((inventory / "machines.yml").read_text())["all"]
    names = list(made["hosts"])
    variables = {**hosts["vars"], **made["vars"]}
    for file in sorted(inventory.glob("group_vars/all/*.yml")):
        variables.update(yaml.safe_load(file.read_text()))
    variables["groups"] = groups = _groups(hosts, names)
    variables["hostvars"] = made["hosts"]
    # Twice: a variable may use one that uses another.
    variables = rendered(variables, rendered(variables, variables))
    machines: dict[str, dict[str, list[Address]]] = {name: {} for name in names}
    for name in names:
        # A node that is in the sandbox and not in the lab says so.
        file = inventory / "host_vars" / f"{name}.yml"
        own = yaml.safe_load(file.read_text()) if file.is_file() else {}
        for interface in {**made["hosts"][name], **own}["node_interfaces"].values():
            machines[name].setdefault(interface["zone"], []).extend(
                ipaddress.ip_address(interface[key])
                for key in ("address", "address6")
                if interface.get(key)
            )
    attached = {
        name: {interface["zone"] for interface in made["hosts"][name]["node_interfaces"].values()}
        for name in names
    }
    lab = Lab(rendered(variables["lab_zones"], variables), machines, attached, groups)
    lab.flows = rendered(variables["lab_flows"], variables)
    for file in sorted(roles.glob("*/meta/flows.yml")):
        lab.flows += _contributed(file, variables)
    return lab


def _groups(everything: dict[str, Any], names: list[str]) -> dict[str, set[str]]:
    """Read the groups of hosts.yml; those of groups are not needed here."""
    children = everything.get("children") or {}
    return {
        group: {host for host in ((body or {}).get("hosts") or {}) if host in names}
        for group, body in children.items()
    }


def _contributed(file: Path, variables: dict[str, Any]) -> list[dict[str, Any]]:
    """Read a role's flows; its defaults stand behind the inventory's variables."""
    defaults = file.parents[1] / "defaults" / "main.yml"
    known = {**(yaml.safe_load(defaults.read_text()) or {}), **variables}
    flows = []
    for flow in yaml.safe_load(file.read_text()):
        rest = {key: value for key, value in flow.items() if key not in ("when", "loop")}
        for item in rendered(flow["loop"], known) if "loop" in flow else [None]:
            turn = {**known, "item": item}
            if rendered(flow.get("when", True), turn) in (True, "True", "true"):
                flows.append(rendered(rest, turn))
    return flows


def rendered(value: Any, variables: dict[str, Any]) -> Any:  # noqa: ANN401 - any YAML
    """Fill the templates in a value, and those in the variables that they use."""
    if isinstance(value, dict):
        return {key: rendered(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [rendered(item, variables) for item in value]
    if not isinstance(value, str) or "{{" not in value:
        return value
    # Escaping is for HTML; these are addresses and ports.
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701
    # Where the nodes' links are measured: in the scenario's zone of that name.
    environment.filters["gpulab.core.pairs_zone"] = lambda *_: "fabric"
    text = environment.from_string(value).render(variables)
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return rendered(text, variables)
