# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The filter ``gpulab.core.pairs_zone``: where the stage pairs measures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils.checks.pairs import nodes


def pairs_zone(
    names: list[str], hostvars: Mapping[str, Any], zones: Mapping[str, Any], asked: str = ""
) -> str:
    """Choose the zone.

    Args:
        names: the nodes that are measured.
        hostvars: Ansible's variables of all machines.
        zones: ``lab_zones``.
        asked: a zone's name, or "".

    Raises:
        AnsibleFilterError: ``asked`` is not declared.
    """
    try:
        return nodes.choose_zone(zones, {name: hostvars[name] for name in names}, asked)
    except nodes.PairsError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {"pairs_zone": pairs_zone}
