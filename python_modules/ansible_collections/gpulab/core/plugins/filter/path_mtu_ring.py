# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The filter ``gpulab.core.path_mtu_ring``: whom a node pings to check the MTU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..plugin_utils.network.path_mtu_ring import ring


def path_mtu_ring(
    names: list[str], name: str, hostvars: Mapping[str, Any], zones: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Say which addresses a node has to reach, in a ring over the nodes of each zone.

    Args:
        names: the nodes that take part.
        name: the node that pings.
        hostvars: Ansible's ``hostvars``.
        zones: ``lab_zones``.
    """
    nodes = {each: hostvars[each].get("node_interfaces") or {} for each in names}
    return ring(name, nodes, zones)


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {"path_mtu_ring": path_mtu_ring}
