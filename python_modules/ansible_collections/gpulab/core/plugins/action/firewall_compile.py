# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The action ``gpulab.core.firewall_compile``: one ruleset of nftables for each machine.

Documentation: plugins/modules/firewall_compile.py.
"""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils.firewall.compile import compile_rulesets
from ..plugin_utils.firewall.policy import PolicyError, policy_from_plain


class ActionModule(ActionBase):
    """Compiles on the controller; connects to nothing."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return ``rulesets``."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            argument_spec={
                "policy": {"type": "dict", "required": True},
                "machines": {"type": "list", "elements": "str"},
            }
        )
        result["changed"] = False
        try:
            policy = policy_from_plain(options["policy"])
            return {**result, "rulesets": compile_rulesets(policy, options["machines"])}
        except PolicyError as error:
            raise AnsibleActionFail(str(error)) from error
