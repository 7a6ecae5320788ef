# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The action ``gpulab.core.benchmark_ddp``: run a node's part by the module of that name; judge.

Documentation: plugins/modules/benchmark_ddp.py.
"""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils.benchmark.options import DDP_OPTIONS
from ..module_utils.process import Outcome
from ..plugin_utils.checks.ddp.judge import judge
from ..plugin_utils.checks.specs import SpecError
from ..plugin_utils.inventory.spec import spec_of_task

_NOT_TRAINED = {
    "skipped": True,
    "msg": "check mode: nothing was trained, so there is no verdict",
    "verdict": "unknown",
    "checks": [],
    "metrics": [],
    "result": None,
    "stderr_tail": "",
}


class ActionModule(ActionBase):
    """Judges on the controller what the node's part did."""

    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset(DDP_OPTIONS)

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the node's findings and metrics."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(argument_spec=DDP_OPTIONS)
        result["changed"] = False
        try:
            spec = spec_of_task(self._templar, task_vars or {}).requirements
        except SpecError as error:
            raise AnsibleActionFail(str(error)) from error
        if self._task.check_mode:
            return {**result, **_NOT_TRAINED}
        found: dict[str, Any] = self._execute_module(
            module_name="gpulab.core.benchmark_ddp", task_vars=task_vars
        )
        if "outcome" not in found:
            return {**result, **found}
        outcome = Outcome(**found.pop("outcome"))
        rdma = bool((spec.get("infiniband") or {}).get("ports_min"))
        judged = judge(outcome, options["node"], rdma=rdma)
        return {**result, **found, **judged, "stderr_tail": outcome.stderr_tail}
