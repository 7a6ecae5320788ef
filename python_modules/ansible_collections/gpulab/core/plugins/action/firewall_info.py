# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The action ``gpulab.core.firewall_info``: read a node by its module of that name; plan.

Documentation: plugins/modules/firewall_info.py.
"""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ..plugin_utils.firewall import change, lockout, routing, strangers
from ..plugin_utils.firewall.policy import Policy, policy_from_plain

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
                "undeclared": {"type": "str", "choices": ["refuse", "warn"], "default": "refuse"},
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
        problems, warnings = _judged(policy, node, result, options)
        if warnings:
            result["warnings"] = [*result.get("warnings", []), *warnings]
        if problems:
            return result | {"failed": True, "msg": problems[0]}
        port = connection["port"] if connection else _SSH
        return result | {
            "change": change.plan(ruleset, result, routing.forwarding(policy, node)),
            "witness": lockout.witness(policy, node, options["witnesses"], port),
        }


def _judged(
    policy: Policy, node: str, read: dict[str, Any], options: dict[str, Any]
) -> tuple[list[str], list[str]]:
    """Say what forbids the change, the worst first, and what is worth knowing before it."""
    links, foreign = read["interfaces"], read["foreign"]
    connection = read["connection"]
    problems = [lockout.lockout(policy, node, connection, links or ())] if connection else []
    warnings = []
    if read["others"] and options["existing"] == "refuse":
        problems.append(change.refusal(read["others"], node))
    chains = strangers.unexplained(foreign["chains"], read["others"])
    named = strangers.closing(policy, node, chains)
    if named:
        problems.append(strangers.closing_refusal(node, named))
    some = strangers.dropping(policy, node, chains)
    if some:
        warnings.append(
            f"{node}: others drop packets too, whatever lab_flows say: {'; '.join(some)}"
        )
    warnings += [said] if (said := strangers.full(node, read["connections"])) else []
    if foreign["unread"]:
        warnings.append(
            f"{node}: whether other tables drop packets is unknown: {foreign['unread']}"
        )
    if links is None:
        warnings.append(f"{node}: whether interfaces would be closed is unknown: `ip` says nothing")
        links = []
    used, idle = strangers.undeclared(policy, node, links)
    # Where the rules are loaded, what they close is closed: no change of this run does it.
    if used and options["undeclared"] == "refuse" and not read["live"]["same"]:
        problems.append(strangers.undeclared_refusal(node, used))
    elif used or idle:
        warnings.append(
            f"{node}: in no zone and of no container engine, so what comes in there is dropped: "
            f"{', '.join([*used, *idle])}"
        )
    return [problem for problem in problems if problem], warnings
