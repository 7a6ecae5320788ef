# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The filter ``gpulab.core.sandbox_machines``: an inventory's hosts as sandbox machines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

#: Host variable → option of a node in M(gpulab.core.sandbox).
OPTIONS = {
    "sandbox_kind": "kind",
    "sandbox_image": "image",
    "sandbox_memory_mib": "memory_mib",
    "sandbox_cpus": "cpus",
    "sandbox_disks": "disks",
}


def sandbox_machines(hosts: list[str], hostvars: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Turn hosts into the ``machines`` that M(gpulab.core.sandbox) takes.

    Args:
        hosts: names of the inventory's hosts, in its order.
        hostvars: Ansible's ``hostvars``.

    Returns:
        ``{"name", "zones", …}`` per host, with the options of ``OPTIONS`` that it sets.

    Raises:
        AnsibleFilterError: when a host does not say which zones it is in.
    """
    machines = []
    for host in hosts:
        variables = hostvars[host]
        if "sandbox_zones" not in variables:
            msg = f"{host}: set sandbox_zones (a list of zones) to run it in the sandbox"
            raise AnsibleFilterError(msg)
        chosen = {
            option: variables[variable]
            for variable, option in OPTIONS.items()
            if variable in variables
        }
        machines.append({"name": host, "zones": list(variables["sandbox_zones"]), **chosen})
    return machines


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {"sandbox_machines": sandbox_machines}
