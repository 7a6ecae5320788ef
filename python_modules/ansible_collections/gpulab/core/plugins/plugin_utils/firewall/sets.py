"""Named sets of a ruleset, as text of nftables."""

from __future__ import annotations

from collections.abc import Iterable

from .endpoints import ZONE, End
from .policy import Address

INDENT = "    "
_TYPES = {4: "ipv4_addr", 6: "ipv6_addr"}
# A set that rules write into: as many sources at once as fit into 16 bits. When it is full, the
# rule matches no new source, so a flood of forged ones opens nothing.
_RATE_SIZE = 65535
# Seconds after which a source that was silent has all its connections to spend again.
_UNIT_S = {"second": 1, "minute": 60, "hour": 3600}


def address_set(name: str, family: int, addresses: Iterable[tuple[Address, str]]) -> str:
    """Render single addresses of one family, those of one owner on one line with its name."""
    lines: dict[str, list[str]] = {}
    for address, owner in addresses:
        if address.version == family:
            lines.setdefault(owner, []).append(str(address))
    return _render(name, _TYPES[family], ((", ".join(own), of) for of, own in lines.items()))


def network_set(name: str, family: int, networks: Iterable[tuple[str, str]]) -> str:
    """Render networks that do not overlap, each with a comment."""
    return _render(name, _TYPES[family], networks, "flags interval")


def port_set(name: str, ports: Iterable[tuple[int, int]]) -> str:
    """Render ranges of ports."""
    return _render(
        name, "inet_service", ((port_text(port), "") for port in ports), "flags interval"
    )


def interface_set(name: str, interfaces: Iterable[tuple[str, str]]) -> str:
    """Render names of interfaces, each with its zone as a comment."""
    return _render(name, "ifname", ((f'"{interface}"', zone) for interface, zone in interfaces))


def rate_set(name: str, family: int, unit: str) -> str:
    """Render the memory of a flow's rate: one limit per source address."""
    lines = (f"size {_RATE_SIZE}", "flags dynamic,timeout", f"timeout {_UNIT_S[unit]}s")
    return _render(name, _TYPES[family], (), *lines)


def end_set(name: str, family: int, end: End) -> str:
    """Render what `end` is in one family."""
    if end.kind == ZONE:
        own = [(str(network), "") for network in end.networks if network.version == family]
        return network_set(name, family, own)
    return address_set(name, family, end.addresses)


def port_text(port: tuple[int, int]) -> str:
    """Write a range of ports as nftables does."""
    first, last = port
    return str(first) if first == last else f"{first}-{last}"


def _render(name: str, kind: str, elements: Iterable[tuple[str, str]], *options: str) -> str:
    lines = [f"set {name} {{", *(f"{INDENT}{line}" for line in (f"type {kind}", *options))]
    listed = [f"{INDENT * 2}{value},{f'  # {of}' if of else ''}" for value, of in elements]
    if listed:
        lines += [f"{INDENT}elements = {{", *listed, f"{INDENT}}}"]
    return "\n" + "".join(f"{INDENT}{line}\n" for line in (*lines, "}"))
