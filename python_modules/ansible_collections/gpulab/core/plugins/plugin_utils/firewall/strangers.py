"""What of a node the policy does not know: interfaces in no zone, tables of others. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from .policy import Policy
from .routing import forwarding

#: Where packets of the node itself go through. What is dropped of those that it sends on is said of
#: routers alone: container engines close that way for what is not theirs.
_OWN_HOOKS = ("ingress", "prerouting", "input", "output", "postrouting", "egress")
#: What is there for what is on top of it, or for nothing yet, as long as it has no address.
_IDLE_KINDS = ("", "bridge", "bond", "team", "dummy", "ifb", "vlan")
#: A part of the table of connections that leaves no room for a job that starts: all of its ranks
#: open theirs at once, so what is in use doubles. Our own estimate.
_NEARLY_FULL = 0.5
#: The tables that each of the firewalls that can be taken over loads.
_TABLES = {
    "firewalld": ("firewalld",),
    "ufw": ("filter",),
    "netfilter-persistent": ("filter", "raw", "mangle", "nat", "security"),
    "iptables": ("filter", "raw", "mangle", "nat", "security"),
    "ip6tables": ("filter", "raw", "mangle", "nat", "security"),
}


def undeclared(
    policy: Policy, node: str, interfaces: Iterable[Mapping[str, Any]]
) -> tuple[list[str], list[str]]:
    """List the interfaces that are up, in no zone, and of no container engine that is named.

    Everything on them is dropped, but replies. Ports of bridges and bonds are left out, because
    their packets are those of the bridge or bond; so is what carries declared VLANs and has no
    address.

    Args:
        policy: the policy.
        node: the machine.
        interfaces: what the node's module read.

    Returns:
        Those that are in use, each with its kind and addresses: they have an address, or are made
        by something (the end of a pod's wire); and the others, such as a card that is only up.
    """
    own = policy.nodes[node]
    declared = {part.name for part in own.interfaces}
    found = list(interfaces)
    carriers = {link["parent"] for link in found if link["name"] in declared}
    used: list[str] = []
    idle: list[str] = []
    for link in found:
        name = link["name"]
        known = name in declared or any(
            fnmatchcase(name, pattern) for pattern in own.container_interfaces
        )
        if known or not link["up"] or link["master"]:
            continue
        if name in carriers and not link["addresses"]:
            continue
        what = ", ".join([link["kind"] or "card", *link["addresses"]])
        in_use = link["addresses"] or link["kind"] not in _IDLE_KINDS
        (used if in_use else idle).append(f"{name} ({what})")
    return sorted(used), sorted(idle)


def undeclared_refusal(node: str, used: list[str]) -> str:
    """Say that interfaces would be closed that somebody uses, and the ways out."""
    return (
        f"{', '.join(used)} of {node} {'is' if len(used) == 1 else 'are'} up, in no zone, and "
        "named by no pattern of firewall_container_interfaces: all that comes in there would be "
        "dropped. Nothing was changed. -> name those of pods and containers in "
        "firewall_container_interfaces, declare the others in node_interfaces (managed: false for "
        "what gpulab does not set), or close them with firewall_undeclared_interfaces: warn"
    )


def closing(policy: Policy, node: str, chains: Iterable[Mapping[str, Any]]) -> list[str]:
    """Name the base chains of others that drop what they do not know: firewalls beside ours."""
    return [named(chain) for chain in chains if chain["closed"] and _meant(policy, node, chain)]


def dropping(policy: Policy, node: str, chains: Iterable[Mapping[str, Any]]) -> list[str]:
    """Name the base chains of others that drop some packets and let the rest pass."""
    return [
        f"{named(chain)} by {chain['drops']} rule{'s' if chain['drops'] > 1 else ''}"
        for chain in chains
        if not chain["closed"] and _meant(policy, node, chain)
    ]


def unexplained(
    chains: Iterable[Mapping[str, Any]], others: Iterable[str]
) -> list[Mapping[str, Any]]:
    """Leave out the chains of firewalls that are known by their services, and go with them.

    Those of nftables.service do not: it is only masked, and what it has loaded stays.

    Args:
        chains: what the node's module read.
        others: the firewalls that it found by their services.
    """
    theirs = {table for name in others for table in _TABLES.get(name, ())}
    return [chain for chain in chains if chain["table"].partition(" ")[0] not in theirs]


def full(node: str, connections: Mapping[str, Any] | None) -> str:
    """Say that new connections find no room in the kernel's table, or soon will, or "".

    Args:
        node: the machine.
        connections: ``now``, ``max`` and ``lost``; None where the kernel follows none.
    """
    if not connections:
        return ""
    now, most, lost = connections["now"], connections["max"], connections["lost"]
    if not lost and now < _NEARLY_FULL * most:
        return ""
    since = f", and {lost} had to make room since boot" if lost else ""
    return (
        f"{node} follows {now} connections of at most {most}{since}: new ones are dropped where "
        "there is no room. -> raise net.netfilter.nf_conntrack_max (base_sysctl, with the module "
        "nf_conntrack loaded at boot), or look who opens so many: conntrack -L"
    )


def closing_refusal(node: str, named: list[str]) -> str:
    """Say that somebody else's table drops what the lab's flows let in."""
    return (
        f"{' and '.join(named)} of {node} drops what it does not know, whatever lab_flows say, "
        "and goes with no service that could be stopped. Nothing was changed. -> remove the table "
        "(`nft delete table FAMILY TABLE`; of iptables: policies to ACCEPT, then --flush) and what "
        "loads it at boot"
    )


def _meant(policy: Policy, node: str, chain: Mapping[str, Any]) -> bool:
    hook = chain["hook"]
    return hook in _OWN_HOOKS or (hook == "forward" and bool(forwarding(policy, node)))


def named(chain: Mapping[str, Any]) -> str:
    """Name a base chain: its table, and where it meets packets."""
    return f"table {chain['family']} {chain['table']}, chain {chain['chain']} ({chain['hook']})"
