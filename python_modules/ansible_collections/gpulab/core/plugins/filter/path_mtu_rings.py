# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The filter ``gpulab.core.path_mtu_rings``: whom each node pings to check the MTU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..plugin_utils.network.path_mtu_rings import rings


def path_mtu_rings(
    names: list[str], hostvars: Mapping[str, Any], zones: Mapping[str, Any]
) -> dict[str, list[dict[str, Any]]]:
    """Say which addresses each node has to reach, in a ring over the nodes of each zone.

    Args:
        names: the nodes that take part.
        hostvars: Ansible's ``hostvars``.
        zones: ``lab_zones``.
    """
    nodes = {name: hostvars[name].get("node_interfaces") or {} for name in names}
    return rings(nodes, zones)


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {"path_mtu_rings": path_mtu_rings}
