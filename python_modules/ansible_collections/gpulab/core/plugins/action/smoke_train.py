# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The action ``gpulab.core.smoke_train``: train where no earlier training stands for a new one.

Documentation: plugins/modules/smoke_train.py.
"""

from __future__ import annotations

import datetime
from typing import Any

from ansible.plugins.action import ActionBase

from ..plugin_utils.admission import admission
from ..plugin_utils.history import earlier_trainings
from ..plugin_utils.records import paths


class ActionModule(ActionBase):
    """Looks into the records on the controller, then runs the module on the node."""

    TRANSFERS_FILES = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return what the module found, or what it found in the training that stands."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        passed = None
        node = str((task_vars or {})["inventory_hostname"])
        if not self._task.check_mode and not admission.has_to_prove_itself(node):
            passed = earlier_trainings.passed(
                paths.reports_dir(),
                node,
                float(arguments.get("valid_h") or 0),
                datetime.datetime.now(datetime.UTC),
            )
        if passed:
            arguments["passed"] = passed["training"]["fingerprint"]
        found: dict[str, Any] = self._execute_module(
            module_name="gpulab.core.smoke_train", module_args=arguments, task_vars=task_vars
        )
        if passed and found.pop("stands", False):
            found |= passed
        return {**result, **found}
