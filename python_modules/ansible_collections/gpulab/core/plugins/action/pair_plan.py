# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The action ``gpulab.core.pair_plan``: plan which nodes are measured with each other, and when.

Documentation: plugins/modules/pair_plan.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils.checks.node_spec import VARIABLES
from ..plugin_utils.checks.pairs import judge, nodes, plan, retest, schedule
from ..plugin_utils.checks.pairs.limits import LIMITS, limits_of
from ..plugin_utils.checks.specs import SpecError

# What is read of a node's variables.
_VARIABLES = ("node_interfaces", "ansible_host", *VARIABLES)


class ActionModule(ActionBase):
    """Decides on the controller; connects to nothing."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the plan; say who is left out, and how long it takes."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            argument_spec={
                "nodes": {"type": "list", "elements": "str", "required": True},
                "zone": {"type": "str", "default": ""},
                "rounds": {"type": "int", "default": 0},
                "test_s": {"type": "float", "default": 10},
                "plan": {"type": "dict"},
                "measurements": {"type": "list", "elements": "dict"},
                "limits": LIMITS,
            },
            required_together=[("plan", "measurements")],
        )
        result["changed"] = False
        try:
            if options["plan"] is not None:
                return {**result, **_retest(options)}
            return {**result, **self._first(options, task_vars or {})}
        except (nodes.PairsError, SpecError, ValueError) as error:
            raise AnsibleActionFail(str(error)) from error

    def _first(self, options: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        hostvars = variables["hostvars"]
        own = {name: _of_node(hostvars[name]) for name in options["nodes"]}
        lab = hostvars[variables["inventory_hostname"]]
        zones = lab.get("lab_zones") or {}
        zone = nodes.choose_zone(zones, own, options["zone"])
        members, outside = nodes.members(own, zones, zone)
        rounds = schedule.tournament(members, options["rounds"])
        made = plan.document(zone, members, rounds, options["test_s"])
        for line in plan.told(made, outside):
            self._display.display(line)
        return made


def _retest(options: dict[str, Any]) -> dict[str, Any]:
    zone, members, due = plan.read(options["plan"])
    measured, limits = options["measurements"], limits_of(options["limits"])
    seen = [*judge.look(members, measured, limits), *judge.missing(due, measured)]
    rounds = retest.retest_rounds(seen, list(members))
    return plan.document(zone, members, rounds, options["test_s"], again=True)


def _of_node(variables: Mapping[str, Any]) -> dict[str, Any]:
    return {name: variables[name] for name in _VARIABLES if name in variables}
