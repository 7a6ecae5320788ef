"""Read every node of the inventory for the checks of a declaration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ..declaration.collect import Machine


def read_machines(task_vars: Mapping[str, Any], loader: DataLoader) -> list[Machine]:
    """Hand over the nodes of the whole inventory, whatever ``--limit`` says.

    Args:
        task_vars: the variables of the task that asks; ``hostvars`` and ``groups`` are read.
        loader: Ansible's.
    """
    hostvars = task_vars["hostvars"]
    members = {
        str(group): frozenset(map(str, names))
        for group, names in task_vars["groups"].items()
        if group not in ("all", "ungrouped")
    }
    machines = []
    for name in map(str, hostvars):
        variables: Mapping[str, Any] = hostvars.raw_get(name)
        templar = Templar(loader=loader, variables={**variables, "hostvars": hostvars})
        own = sorted(
            (group for group, names in members.items() if name in names),
            key=lambda group: (len(members[group]), group),
        )
        machines.append(Machine(name, tuple(own), variables, templar.template))
    return machines
