# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The action ``gpulab.core.firewall_show``: say who may reach whom, and by which rule.

Documentation: plugins/modules/firewall_show.py.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils.declaration.suggest import did_you_mean
from ..plugin_utils.firewall import asked, reach, show
from ..plugin_utils.firewall.compile import compile_rulesets
from ..plugin_utils.firewall.matrix import matrix
from ..plugin_utils.firewall.policy import Policy, PolicyError, policy_from_plain


class ActionModule(ActionBase):
    """Answers on the controller; connects to nothing."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Print the matrix, an answer or a ruleset, and return it."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            argument_spec={
                "policy": {"type": "dict", "required": True},
                "from": {"type": "str"},
                "to": {"type": "str"},
                "protocol": {"type": "str", "choices": ["tcp", "udp", "icmp"], "default": "tcp"},
                "ruleset_of": {"type": "str"},
                "ask": {"type": "bool", "default": False},
                "told": {"type": "dict"},
            },
            required_together=[("from", "to")],
            mutually_exclusive=[("from", "ruleset_of")],
        )
        result["changed"] = False
        try:
            found = _show(policy_from_plain(options["policy"]), options)
        except PolicyError as error:
            raise AnsibleActionFail(str(error)) from error
        for line in found["lines"]:
            self._display.display(line)
        return {**result, **found}


def _show(policy: Policy, options: dict[str, Any]) -> dict[str, Any]:
    if options["ruleset_of"]:
        return {"lines": _ruleset(policy, options["ruleset_of"]).splitlines()}
    if options["from"]:
        target, port = show.read_target(options["to"])
        source = show.read_source(options["from"])
        answer = reach.is_allowed(policy, source, target, options["protocol"], port)
        lines, certain = list(show.answer_lines(answer)), True
        machines = asked.machines_of(policy, answer)
        if machines and options["told"] is not None:
            certain, lines = asked.asked_lines(answer, options["told"])
        elif machines:
            # Printed once they have been asked.
            lines = [] if options["ask"] else [*lines, asked.NOT_ASKED]
        return {
            "lines": lines,
            "machines": machines,
            "certain": certain,
            "allowed": answer.allowed,
            "flows": [flow.name for flow in answer.flows],
            "sides": [dataclasses.asdict(side) for side in answer.sides],
        }
    return {"lines": show.matrix_lines(policy, matrix(policy))}


def _ruleset(policy: Policy, name: str) -> str:
    if name not in policy.nodes:
        msg = f"there is no machine '{name}': {did_you_mean(name, policy.nodes)}"
        raise PolicyError(msg)
    return compile_rulesets(policy, [name])[name]
