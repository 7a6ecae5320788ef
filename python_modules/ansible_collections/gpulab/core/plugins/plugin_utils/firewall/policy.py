"""What a lab's firewall is compiled from: zones, nodes and flows, as plain values.

Everything in this package runs on the controller. `policy_from_plain` reads what the action
``gpulab.core.firewall_policy`` collects of the inventory and of the roles; the compiler and the
answers to "who may reach whom" work on the same `Policy`, so they never differ in what is declared.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any, Union

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

PROTOCOLS = ("tcp", "udp", "icmp", "any")
#: The bridges of container engines on a node, unless `Node.container_interfaces` says otherwise:
#: podman's and docker's own, their further networks (docker: ``br-<id>``), CNI's, libvirt's.
CONTAINER_INTERFACES = ("podman*", "docker*", "br-*", "cni-*", "virbr*")


class PolicyError(ValueError):
    """The policy cannot be compiled; the text names the key, what is wrong and what is right."""


@dataclass(frozen=True)
class Zone:
    """One network of the lab.

    Attributes:
        name: its key in ``lab_zones``.
        networks: its IPv4 and IPv6 networks, at most one of each.
        gateways: its routers' addresses.
        outside: whether its nodes may reach addresses outside the lab; flows say on what.
        public: whether strangers can send here, so that bogon sources are dropped.
        masquerade_by: the node that puts its address on what leaves through this zone, or "".
        masquerade_for: the zones whose traffic it does that for.
    """

    name: str
    networks: tuple[Network, ...]
    gateways: tuple[Address, ...] = ()
    outside: bool = False
    public: bool = False
    masquerade_by: str = ""
    masquerade_for: tuple[str, ...] = ()


@dataclass(frozen=True)
class Interface:
    """One interface of a machine: its name, its zone, and its addresses in that zone.

    Attributes:
        routes: the networks that are reached over a router in that zone, beside its gateways.
    """

    name: str
    zone: str
    addresses: tuple[Address, ...]
    routes: tuple[Network, ...] = ()


@dataclass(frozen=True)
class Node:
    """One machine.

    Attributes:
        name: its inventory name.
        interfaces: those that are in a zone.
        groups: its groups without ``all``.
        container_interfaces: names, also with ``*`` at the end, of its container engines' bridges.
    """

    name: str
    interfaces: tuple[Interface, ...]
    groups: frozenset[str] = frozenset()
    container_interfaces: tuple[str, ...] = CONTAINER_INTERFACES


@dataclass(frozen=True)
class Flow:
    """Traffic that may cross.

    Attributes:
        name: names the rule; unique in a policy.
        source: where the connection starts: ``zone``, ``group``, ``node``, ``group@zone``,
            ``node@zone``, ``outside`` or ``gateways``.
        target: where it ends, in the same words.
        protocol: one of `PROTOCOLS`; ``icmp`` means ICMP and ICMPv6, ``any`` every protocol.
        ports: destination ports as ``(first, last)``, sorted and disjoint; empty for icmp and any.
        rate: new connections that one source address may open, as ``30/minute``, or "".
        log: whether each new connection is logged.
        origin: who wants it: ``lab_flows``, or ``role ssh``.
    """

    name: str
    source: str
    target: str
    protocol: str
    ports: tuple[tuple[int, int], ...] = ()
    rate: str = ""
    log: bool = False
    origin: str = "lab_flows"


@dataclass(frozen=True)
class Policy:
    """The whole of it: zones and nodes by name, flows in no order that matters."""

    zones: dict[str, Zone]
    nodes: dict[str, Node]
    flows: tuple[Flow, ...]


def policy_from_plain(plain: dict[str, Any]) -> Policy:
    """Read a policy from what JSON or YAML can hold.

    Args:
        plain: ``zones`` as ``lab_zones`` declares them; ``nodes``: node →
            ``{"interfaces": node_interfaces, "groups": [...]}``, and ``container_interfaces`` when
            they differ; ``flows``: a list as ``lab_flows`` declares them, each with ``origin``.

    Raises:
        PolicyError: a value is none of what it must be. Preflight refuses such a declaration with
            all its mistakes at once; this is for callers without one.
    """
    try:
        zones = {name: _zone(name, body) for name, body in plain["zones"].items()}
        nodes = {name: _node(name, body) for name, body in plain["nodes"].items()}
        flows = tuple(_flow(body) for body in plain["flows"])
    except (KeyError, TypeError, AttributeError) as error:
        msg = f"the policy lacks or misuses {error}: the stage preflight names each mistake"
        raise PolicyError(msg) from error
    return Policy(zones, nodes, flows)


def parse_ports(ports: list[Any]) -> tuple[tuple[int, int], ...]:
    """Read ports and ranges (``443``, ``"30000-30100"``) as sorted ranges that do not touch.

    Raises:
        PolicyError: one of them is neither.
    """
    ranges = []
    for port in ports:
        first, dash, last = str(port).partition("-")
        try:
            low, high = int(first), int(last) if dash else int(first)
        except ValueError:
            low, high = 0, 0
        if not 1 <= low <= high <= 65535:
            msg = f"ports: {port!r} is no port from 1 to 65535, and no range such as 30000-30100"
            raise PolicyError(msg)
        ranges.append((low, high))
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return tuple(merged)


def _zone(name: str, body: dict[str, Any]) -> Zone:
    networks = tuple(
        _network(f"lab_zones.{name}", body[key]) for key in ("cidr", "cidr6") if body.get(key)
    )
    gateways = tuple(_address(body[key]) for key in ("gateway", "gateway6") if body.get(key))
    masquerade = body.get("masquerade") or {}
    return Zone(
        name,
        networks,
        gateways,
        bool(body.get("outside", bool(gateways))),
        bool(body.get("public", False)),
        str(masquerade.get("by", "")),
        tuple(masquerade.get("for", ())),
    )


def _node(name: str, body: dict[str, Any]) -> Node:
    interfaces = tuple(
        Interface(
            interface,
            str(of["zone"]),
            tuple(_address(of[key]) for key in ("address", "address6") if of.get(key)),
            tuple(
                _network(f"{name}: {interface}: routes", route["to"])
                for route in of.get("routes", ())
            ),
        )
        for interface, of in sorted((body.get("interfaces") or {}).items())
    )
    return Node(
        name,
        interfaces,
        frozenset(body.get("groups", ())),
        tuple(body.get("container_interfaces", CONTAINER_INTERFACES)),
    )


def _flow(body: dict[str, Any]) -> Flow:
    protocol = str(body["protocol"])
    if protocol not in PROTOCOLS:
        msg = f"flow {body['name']}: protocol {protocol!r} is none of {', '.join(PROTOCOLS)}"
        raise PolicyError(msg)
    return Flow(
        str(body["name"]),
        str(body["from"]),
        str(body["to"]),
        protocol,
        parse_ports(body.get("ports") or []),
        str(body.get("rate", "")),
        bool(body.get("log", False)),
        str(body.get("origin", "lab_flows")),
    )


def _network(where: str, value: str) -> Network:
    try:
        return ipaddress.ip_network(value)
    except ValueError as error:
        msg = f"{where}: {value!r} is no network: {error}"
        raise PolicyError(msg) from error


def _address(value: str) -> Address:
    try:
        return ipaddress.ip_address(value)
    except ValueError as error:
        msg = f"{value!r} is no address: {error}"
        raise PolicyError(msg) from error
