# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The action ``gpulab.core.firewall_policy``: what the lab's firewall is compiled from.

Documentation: plugins/modules/firewall_policy.py.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_version

from ..plugin_utils.declaration.controller import controller_problem

# The checks below need it.
MISSING_PACKAGE = "" if importlib.util.find_spec("jsonschema") else "jsonschema"

#: The variables that a policy is made of. The rest of a declaration is preflight's to check.
VARIABLES = ("lab_name", "lab_zones", "lab_flows", "node_interfaces")
#: The controller that runs tasks for itself, no node of the lab.
LOCALHOST = "localhost"


class ActionModule(ActionBase):
    """Reads the variables of every node and the flows of every role; connects to none."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return ``policy`` and ``left_out``; fail with ``errors``."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            argument_spec={"roles": {"type": "list", "elements": "path"}}
        )
        result["changed"] = False
        problem = controller_problem(ansible_version, sys.version_info[:2], MISSING_PACKAGE)
        if problem:
            return {**result, "failed": True, "errors": [], "msg": problem}
        folders = options["roles"]
        if folders is None:
            folders = [f"{self._loader.get_basedir()}/roles", *constants.DEFAULT_ROLES_PATH]
        return result | _policy(task_vars or {}, [Path(one) for one in folders], self._loader)


def _policy(task_vars: dict[str, Any], folders: list[Path], loader: DataLoader) -> dict[str, Any]:
    # Imported late: these need jsonschema and ansible-core 2.19, which run() has made sure of.
    from ..plugin_utils.declaration import check, shape, sources
    from ..plugin_utils.declaration.collect import collect, resolved
    from ..plugin_utils.declaration.model import Problem
    from ..plugin_utils.firewall import role_flows
    from ..plugin_utils.firewall.gather import CONTAINER_INTERFACES, gather
    from ..plugin_utils.inventory.machines import read_machines

    machines = [
        machine for machine in read_machines(task_vars, loader) if machine.name != LOCALHOST
    ]
    declaration = collect(
        [
            dataclasses.replace(
                machine,
                variables={
                    name: machine.variables[name] for name in VARIABLES if name in machine.variables
                },
            )
            for machine in machines
        ],
        frozenset(map(str, task_vars["groups"])),
    )
    variables = role_flows.common_variables(machines) | {"hostvars": task_vars["hostvars"]}
    unresolved: list[Problem] = []
    containers = {
        machine.name: resolved(
            machine.variables[CONTAINER_INTERFACES],
            (CONTAINER_INTERFACES,),
            machine.resolve,
            unresolved,
        )
        for machine in machines
        if CONTAINER_INTERFACES in machine.variables
    }
    gathered = gather(
        dataclasses.replace(declaration, problems=(*declaration.problems, *unresolved)),
        role_flows.find_role_flows(folders, variables, loader),
        json.loads(shape.SCHEMA.read_text(encoding="utf-8")),
        containers,
    )
    if gathered.problems:
        places = sources.read_sources(
            map(str, task_vars["ansible_inventory_sources"]),
            Path.cwd(),
            loader.get_text_file_contents,
        )
        errors = check.tell(gathered.problems, declaration, places)
        told = [check.block(error) for error in errors]
        return {"failed": True, "errors": told, "msg": check.headline(errors)}
    flows = len(gathered.policy["flows"])
    return {
        "policy": gathered.policy,
        "left_out": gathered.left_out,
        "msg": f"{flows} flows between {len(machines)} machines and the outside.",
    }
