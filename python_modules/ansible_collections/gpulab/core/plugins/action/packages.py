# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The action ``gpulab.core.packages``: install by the node's own package manager.

Documentation: plugins/modules/packages.py.
"""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils.install.package_manager import package_task


class ActionModule(ActionBase):
    """Asks nothing of a node that lacks nothing."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return what the package manager's module returned."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            argument_spec={
                "names": {"type": "list", "elements": "str", "required": True},
                "recommends": {"type": "bool"},
                "start_services": {"type": "bool", "default": True},
                "lock_timeout_s": {"type": "int", "default": 300},
            }
        )
        names = options.pop("names")
        if not names:
            return result | {"changed": False}
        if self._task.check_mode:
            # Shown without -v, like a message of ansible.builtin.debug.
            shown = {"changed": True, "_ansible_verbose_always": True}
            return result | shown | {"msg": f"Would install {', '.join(names)}"}
        manager = str((task_vars or {}).get("ansible_facts", {}).get("pkg_mgr"))
        try:
            module, arguments = package_task(manager, names, **options)
        except ValueError as error:
            raise AnsibleActionFail(f"{error}: gather facts first (subset 'min')") from error
        result |= self._execute_module(module, arguments, task_vars=task_vars)
        return result
