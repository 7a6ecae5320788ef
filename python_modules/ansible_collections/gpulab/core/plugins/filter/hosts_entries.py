# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The filter ``gpulab.core.hosts_entries``: the lab's nodes as lines of /etc/hosts."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils.declaration.host_names import domain, label

MANAGEMENT = "management"


def _literal(address: object) -> bool:
    try:
        ipaddress.ip_address(str(address))
    except ValueError:
        return False
    return True


def _names(node: str, zone: str, lab_domain: str) -> list[str]:
    own = label(node) if zone == MANAGEMENT else f"{label(node)}-{zone}"
    follows = domain(node) or lab_domain
    return [f"{own}.{follows}", own] if follows else [own]


def hosts_entries(
    names: list[str], hostvars: Mapping[str, Any], lab_domain: str = ""
) -> list[dict[str, Any]]:
    """List the addresses of the lab's nodes with their names.

    The address in the zone ``management`` gets the node's own name; every other zone's address
    gets ``<node>-<zone>``, so that a training job can name the fabric. A node without a
    management interface is reached under its name at ``ansible_host``, when that is an address.

    Args:
        names: the nodes, in the order wanted.
        hostvars: Ansible's ``hostvars``; read are ``node_interfaces`` and ``ansible_host``.
        lab_domain: empty for short names only; a node with a full name keeps its own.

    Returns:
        ``{"address", "names"}`` per address, in the order of ``names``, management first.

    Raises:
        AnsibleFilterError: an address is not one.
    """
    entries = []
    for name in names:
        node = hostvars[name]
        interfaces = sorted(
            (node.get("node_interfaces") or {}).values(),
            key=lambda interface: interface.get("zone") != MANAGEMENT,
        )
        zones: list[str] = []
        for interface in interfaces:
            zone = interface.get("zone", "")
            for key in ("address", "address6"):
                address = interface.get(key)
                if not address or not zone:
                    continue
                if not _literal(address):
                    msg = f"{name}: node_interfaces: {key} {address!r} is not an IP address"
                    raise AnsibleFilterError(msg)
                zones.append(zone)
                entries.append({"address": str(address), "names": _names(name, zone, lab_domain)})
        if MANAGEMENT not in zones and _literal(node.get("ansible_host")):
            entries.append(
                {
                    "address": str(node["ansible_host"]),
                    "names": _names(name, MANAGEMENT, lab_domain),
                }
            )
    return entries


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {"hosts_entries": hosts_entries}
