"""Read every machine of the inventory for the checks of a declaration."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.gpulab.core.plugins.module_utils.declaration.collect import Machine

# This file lies in python_modules/ansible_collections/gpulab/core/plugins/plugin_utils.
PROJECT = Path(__file__).resolve().parents[6]
SCHEMA = PROJECT / "inventory" / "lab.schema.json"


def read_machines(
    task_vars: Mapping[str, Any], loader: DataLoader, names: Collection[str] | None = None
) -> list[Machine]:
    """Hand over the machines of the whole inventory, whatever ``--limit`` says.

    Args:
        task_vars: the variables of the task that asks; ``hostvars`` and ``groups`` are read.
        loader: Ansible's.
        names: the variables that are wanted; all of them when it is None.
    """
    hostvars = task_vars["hostvars"]
    members = {
        str(group): frozenset(map(str, names_of_group))
        for group, names_of_group in task_vars["groups"].items()
        if group not in ("all", "ungrouped")
    }
    machines = []
    for name in map(str, hostvars):
        variables: Mapping[str, Any] = hostvars.raw_get(name)
        templar = Templar(loader=loader, variables={**variables, "hostvars": hostvars})
        own = sorted(
            (group for group, names_of_group in members.items() if name in names_of_group),
            key=lambda group: (len(members[group]), group),
        )
        wanted = {key: value for key, value in variables.items() if names is None or key in names}
        machines.append(Machine(name, tuple(own), wanted, templar.template))
    return machines
