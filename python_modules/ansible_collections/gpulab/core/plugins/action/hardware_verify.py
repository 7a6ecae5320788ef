# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The action ``gpulab.core.hardware_verify``: read a node by ``hardware_info``; judge.

Documentation: plugins/modules/hardware_verify.py.
"""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils.checks.hardware.catalogue import FactsError, verify
from ..plugin_utils.checks.specs import SpecError
from ..plugin_utils.checks.verdict import verdict_of
from ..plugin_utils.inventory.spec import spec_of_task


class ActionModule(ActionBase):
    """Holds facts, fresh ones or given ones, against what the node is declared to be."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset({"hardware", "container_toolkit"})

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the facts, the findings and what they amount to."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            argument_spec={"hardware": {"type": "dict"}, "container_toolkit": {"type": "dict"}}
        )
        result["changed"] = False
        try:
            name, spec = spec_of_task(self._templar, task_vars or {})
            found = self._read(options, task_vars)
            if "hardware" not in found:
                return {**result, **found}
            checks = verify(found["hardware"], spec)
        except (SpecError, FactsError) as error:
            raise AnsibleActionFail(str(error)) from error
        judged = {"verdict": verdict_of(checks), "checks": checks, "spec_name": name, "spec": spec}
        return {**result, **found, **judged}

    def _read(self, options: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        if options["hardware"] is not None:
            return {"hardware": options["hardware"]}
        toolkit = options["container_toolkit"]
        found: dict[str, Any] = self._execute_module(
            module_name="gpulab.core.hardware_info",
            module_args={"container_toolkit": toolkit} if toolkit else {},
            task_vars=task_vars,
        )
        return found
