# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The filter ``gpulab.core.ddp_plan``: where nodes that train together meet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils.checks.ddp.plan import PlanError, plan


def ddp_plan(
    nodes: list[str], hostvars: Mapping[str, Mapping[str, Any]], zone: str
) -> dict[str, Any]:
    """Plan a training over nodes.

    Args:
        nodes: names, in the order of their ranks.
        hostvars: Ansible's variables of all machines.
        zone: whose network carries the exchange.

    Raises:
        AnsibleFilterError: a declaration lacks what is needed.
    """
    try:
        return plan([str(node) for node in nodes], hostvars, zone)
    except PlanError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {"ddp_plan": ddp_plan}
