"""Recognise what an example left to be filled in."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Any

from .model import Declaration, Path, Problem, Value, mapping, show, text

PLACEHOLDER = re.compile(
    r"\b(change[-_ ]?(me|this)|replace[-_ ]?(me|this|with)|fixme|todo)\b", re.I
)
# RFC 5737 and RFC 3849: networks that exist in documents only.
DOCUMENTATION_NETWORKS = tuple(
    map(
        ipaddress.ip_network,
        ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"),
    )
)
# RFC 7042, section 2.1.2: MAC addresses that exist in documents only.
DOCUMENTATION_MAC = "00:00:5e:00:53:"
SERIAL_EXAMPLE = "EXAMPLE-"


def looks_like_placeholder(value: Value) -> bool:
    """Whether a text asks to be replaced: CHANGE-ME, replace_with…, TODO."""
    return bool(PLACEHOLDER.search(text(value)))


def placeholder_problems(declaration: Declaration) -> Iterator[Problem]:
    """Find networks, MACs and serials that come from documents; secrets and keys are elsewhere."""
    for name, body in sorted(mapping(declaration.lab.get("lab_zones")).items(), key=str):
        for key in ("cidr", "cidr6"):
            given = mapping(body).get(key)
            if _in_documents_only(given):
                wrong = f"{show(given)} is a network for documents (RFC 5737, RFC 3849)"
                right = "your own network, and addresses inside it for the machines"
                yield Problem("", ("lab_zones", str(name), key), wrong, right)
    for host in declaration.by_name():
        for path, given in _identities(host.variables):
            if text(given).lower().startswith(DOCUMENTATION_MAC):
                wrong = f"{given} is a MAC address for documents (RFC 7042)"
                yield Problem(host.name, path, wrong, "the interface's own MAC address (ip link)")
            elif text(given).startswith(SERIAL_EXAMPLE) or looks_like_placeholder(given):
                wrong = f"{show(given)} is a placeholder"
                yield Problem(host.name, path, wrong, "the serial number on the device's label")


def _identities(variables: dict[str, Any]) -> Iterator[tuple[Path, Any]]:
    yield ("node_serial",), variables.get("node_serial")
    yield ("node_mac",), variables.get("node_mac")
    for name, body in sorted(mapping(variables.get("node_interfaces")).items(), key=str):
        yield ("node_interfaces", str(name), "mac"), mapping(body).get("mac")
    root = mapping(variables.get("node_root_disk"))
    yield ("node_root_disk", "serial"), root.get("serial")


def _in_documents_only(given: Value) -> bool:
    try:
        network = ipaddress.ip_network(text(given), strict=False)
    except ValueError:
        return False
    return any(
        network.network_address in known and network.broadcast_address in known
        for known in DOCUMENTATION_NETWORKS
    )
