# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The action ``gpulab.core.preflight_gate``: stop a node whose preflight is not ok.

Documentation: plugins/modules/preflight_gate.py.
"""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ..plugin_utils.preflight.judge import OK
from ..plugin_utils.preflight.symptoms import REACH
from ..plugin_utils.preflight.table import by_name, next_actions


class ActionModule(ActionBase):
    """Decides on the controller; connects to nothing."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Fail, or raise as unreachable, unless the row is ok."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            argument_spec={"row": {"type": "dict", "required": True}}
        )
        row = options["row"]
        if row.get("ok") is True:
            return result | {"changed": False}
        checks = by_name(row)
        node = str((task_vars or {}).get("inventory_hostname", "node"))
        message = "\n".join(next_actions(node, checks))
        if REACH in checks and checks[REACH]["status"] != OK:
            raise AnsibleConnectionFailure(message)
        return result | {"changed": False, "failed": True, "msg": message}
