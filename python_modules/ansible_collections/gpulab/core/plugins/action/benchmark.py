# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The action ``gpulab.core.benchmark``: train where that is due; judge.

Documentation: plugins/modules/benchmark.py.
"""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils.benchmark.options import OPTIONS
from ..plugin_utils.admission import admission
from ..plugin_utils.checks.benchmark.measured import judge_measured
from ..plugin_utils.checks.benchmark.request import CheckLimits
from ..plugin_utils.checks.specs import SpecError
from ..plugin_utils.history import earlier_trainings
from ..plugin_utils.inventory.spec import spec_of_task
from ..plugin_utils.labs import folders
from ..plugin_utils.records import paths
from ..plugin_utils.records.records import Record

_OPTIONS = {
    **OPTIONS,
    "valid_h": {"type": "float", "default": 0},
    "limits": {
        "type": "dict",
        "default": {},
        "options": {
            "loss_ratio_max": {"type": "float"},
            "exact_match_min": {"type": "float"},
            "nonfinite_steps_max": {"type": "int"},
            "step_jitter_max": {"type": "float"},
        },
    },
}
_NOT_TRAINED = {
    "skipped": True,
    "msg": "check mode: nothing was trained, so there is no verdict",
    "verdict": "unknown",
    "checks": [],
    "metrics": [],
    "result": None,
    "stderr_tail": "",
    "durations_s": {},
}


class ActionModule(ActionBase):
    """Looks into the records, runs the module on the node, and judges what that measured."""

    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset(set(_OPTIONS) - {"passed"})

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return what was measured, or what an earlier training had measured, and its verdict."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        _, options = self.validate_argument_spec(argument_spec=_OPTIONS)
        given = {name: value for name, value in options["limits"].items() if value is not None}
        limits = replace(CheckLimits(), **given)
        try:
            spec = spec_of_task(self._templar, variables).requirements
        except SpecError as error:
            raise AnsibleActionFail(str(error)) from error
        result |= {"changed": False, "profile": options["profile"]}
        if self._task.check_mode:
            return {**result, **_NOT_TRAINED}
        earlier = _earlier(variables, options["valid_h"]) if options["valid_h"] > 0 else None
        judged = earlier and judge_measured(
            earlier["training"]["measured"], earlier["benchmark"], limits, spec
        )
        arguments = {name: self._task.args[name] for name in OPTIONS if name in self._task.args}
        if earlier and judged and _stands(earlier, judged):
            arguments["passed"] = earlier["training"]["fingerprint"]
        found: dict[str, Any] = self._execute_module(
            module_name="gpulab.core.benchmark", module_args=arguments, task_vars=task_vars
        )
        if found.pop("stands", False) and earlier and judged:
            own = {"stderr_tail": "", "training": earlier["training"]}
            return {**result, **found, **judged, **own, "profile": earlier["profile"]}
        if "measured" not in found:
            return {**result, **found}
        judged = judge_measured(found["measured"], found.pop("document"), limits, spec)
        stderr_tail = found["measured"]["outcome"]["stderr_tail"]
        return {**result, **found, **judged, "stderr_tail": stderr_tail}


def _earlier(variables: dict[str, Any], valid_h: float) -> Record | None:
    node = str(variables["inventory_hostname"])
    try:
        kept = folders.of(variables["hostvars"])
    except paths.FolderError as error:
        raise AnsibleActionFail(str(error)) from error
    if admission.has_to_prove_itself(node, kept.state / admission.FILE):
        return None
    now = datetime.datetime.now(datetime.timezone.utc)
    return earlier_trainings.last(kept.reports, node, valid_h, now)


def _stands(earlier: Record, judged: dict[str, Any]) -> bool:
    """Return whether an earlier training is judged in place of a new one.

    One that passed is, also where today's limits fail it: a limit is no reason to train. One that
    failed is where today's limits pass it.
    """
    return earlier_trainings.is_good(earlier_trainings.checks_of(earlier)) or (
        earlier_trainings.is_good(judged["checks"])
    )
