"""Who gets in after a change: whoever makes it, and a node that tries SSH access. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from ..declaration.flow_ends import GATEWAYS, OUTSIDE
from ..network.machine import MADE_KINDS
from .endpoints import Ends
from .policy import Address, Policy
from .reach import is_allowed


def lockout(
    policy: Policy,
    node: str,
    connection: dict[str, Any],
    interfaces: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Say that the policy would lock out whoever is connected, and by which flow it would not.

    Args:
        policy: the policy.
        node: the machine.
        connection: ``client``, ``server`` and ``port`` of the connection, as the node sees it.
        interfaces: those of the node, with their ``addresses``; without any, which of them has the
            connection's address is not looked at.

    Returns:
        A message, or "" when the connection could be opened again.
    """
    client, server, port = connection["client"], connection["server"], connection["port"]
    declared = {
        str(one): part.name for part in policy.nodes[node].interfaces for one in part.addresses
    }
    at = next((link for link in interfaces if server in link["addresses"]), None)
    if server not in declared:
        return (
            f"this would lock out Ansible: {server}, where it is connected, is no declared address "
            f"of {node}, so nothing is let in there. Nothing was changed. -> declare it in "
            f"node_interfaces of {node}{_as(at)}"
        )
    if at and at["name"] not in {part.name for part in policy.nodes[node].interfaces}:
        return (
            f"this would lock out Ansible: {server}, where it is connected, is on {at['name']}, "
            f"and node_interfaces of {node} has it on {declared[server]}, so nothing is let in on "
            f"{at['name']}. Nothing was changed. -> declare it by that name{_as(at)}"
        )
    answer = is_allowed(policy, client, server, "tcp", port)
    if answer.allowed:
        return ""
    end = _end(policy, ipaddress.ip_address(client))
    return (
        f"this would lock out Ansible: {client}, from where it is connected, could not open tcp "
        f"port {port} of {node} ({server}) any more ({answer.why}). Nothing was changed. -> let it "
        f"in in lab_flows, such as: {{name: administer-{node}, from: {end}, to: {node}, "
        f"protocol: tcp, ports: [{port}]}}"
    )


def witness(policy: Policy, node: str, candidates: list[str], port: int) -> dict[str, str]:
    """Choose a node that may open a node's SSH port, and the address by which it does.

    Args:
        policy: the policy.
        node: the machine.
        candidates: nodes, the best first.
        port: its SSH port.

    Returns:
        ``name`` and ``address``; both empty where there is none.
    """
    ends = Ends(policy)
    targets = {
        part.zone: part.addresses for part in policy.nodes[node].interfaces if part.addresses
    }
    for name in candidates:
        if name == node or name not in policy.nodes:
            continue
        for part in policy.nodes[name].interfaces:
            for address in targets.get(part.zone, ()):
                for own in part.addresses:
                    if own.version == address.version and _open(ends, own, address, port):
                        return {"name": name, "address": str(address)}
    return {"name": "", "address": ""}


def _as(link: Mapping[str, Any] | None) -> str:
    """Say by which name, and that gpulab does not make interfaces of its kind."""
    if link is None:
        return ""
    foreign = link["kind"] not in ("", *MADE_KINDS, "veth")
    how = f", with managed: false: something else makes this {link['kind']}" if foreign else ""
    return f" ({link['name']}{how})"


def _open(ends: Ends, source: Address, target: Address, port: int) -> bool:
    return is_allowed(ends.policy, str(source), str(target), "tcp", port, ends).allowed


def _end(policy: Policy, client: Address) -> str:
    if any(client in zone.gateways for zone in policy.zones.values()):
        return GATEWAYS
    for zone in policy.zones.values():
        if any(client in network for network in zone.networks):
            return zone.name
    return OUTSIDE
