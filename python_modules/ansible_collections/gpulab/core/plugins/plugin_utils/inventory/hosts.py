"""What the inventory declares of a node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def describe(hostvars: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, Any]:
    """Return name, serial, rack, unit and groups, a record's ``host``; empty where not declared.

    Args:
        hostvars: Ansible's ``hostvars``, which templates each variable as it is read.
        name: ``inventory_hostname`` of the node.
    """
    variables = hostvars[name]
    groups = variables.get("group_names", [])
    return {
        "name": str(name),
        "serial": str(variables.get("node_serial", "")),
        "rack": str(variables.get("node_rack", "")),
        "unit": variables.get("node_unit"),
        "groups": sorted(str(group) for group in groups if group != "ungrouped"),
    }
