# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The action ``gpulab.core.firewall_info``: read a node by its module of that name; plan.

Documentation: plugins/modules/firewall_info.py.
"""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ..plugin_utils.firewall import change, lockout, routing
from ..plugin_utils.firewall.policy import policy_from_plain

MODULE = "gpulab.core.firewall_info"
_SSH = 22


class ActionModule(ActionBase):
    """The policy stays on the controller; the node is only read."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return what the module reads, ``change`` and ``witness``; fail before a lock-out."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            argument_spec={
                "ruleset": {"type": "str", "required": True},
                "policy": {"type": "dict", "required": True},
                "existing": {
                    "type": "str",
                    "choices": ["refuse", "take_over"],
                    "default": "refuse",
                },
                "witnesses": {"type": "list", "elements": "str", "default": []},
            }
        )
        ruleset = options["ruleset"]
        result |= self._execute_module(MODULE, {"ruleset": ruleset}, task_vars=task_vars)
        if result.get("failed"):
            return result
        node = str((task_vars or {})["inventory_hostname"])
        policy = policy_from_plain(options["policy"])
        connection = result["connection"]
        problem = lockout.lockout(policy, node, connection) if connection else ""
        if result["others"] and options["existing"] == "refuse":
            problem = problem or change.refusal(result["others"], node)
        if problem:
            return result | {"failed": True, "msg": problem}
        port = connection["port"] if connection else _SSH
        return result | {
            "change": change.plan(ruleset, result, routing.forwarding(policy, node)),
            "witness": lockout.witness(policy, node, options["witnesses"], port),
        }
