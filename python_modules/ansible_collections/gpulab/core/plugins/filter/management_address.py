# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The filter ``gpulab.core.management_address``: where the lab reaches a machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def management_address(variables: Mapping[str, Any]) -> str:
    """Return a node's address in the zone `management`.

    Without a declaration of its interfaces it is the one of its default route, and where no facts
    were gathered the node's name in the inventory.

    Args:
        variables: the node's variables, as in ``hostvars``.
    """
    for interface in (variables.get("node_interfaces") or {}).values():
        if interface.get("zone") == "management" and interface.get("address"):
            return str(interface["address"])
    route = (variables.get("ansible_facts") or {}).get("default_ipv4") or {}
    return str(route.get("address") or variables["inventory_hostname"])


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {"management_address": management_address}
