# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The action ``gpulab.core.pair_judge``: lay what is slow to a node, a card or a cable.

Documentation: plugins/modules/pair_judge.py.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils.checks.pairs import judge, plan
from ..plugin_utils.checks.pairs.limits import LIMITS, limits_of
from ..plugin_utils.records import paths, records


class ActionModule(ActionBase):
    """Decides on the controller; connects to nothing."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return findings and metrics by node."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            argument_spec={
                "plan": {"type": "dict", "required": True},
                "measurements": {"type": "list", "elements": "dict", "required": True},
                "limits": LIMITS,
            }
        )
        try:
            zone, members, due = plan.read(options["plan"])
            judged = judge.judge(
                members,
                due,
                options["measurements"],
                zone=zone,
                limits=limits_of(options["limits"]),
                hardware={name: _hardware(name) for name in members},
            )
        except ValueError as error:
            raise AnsibleActionFail(str(error)) from error
        return {**result, "changed": False, "nodes": judged}


def _hardware(name: str) -> dict[str, Any]:
    """Return what this run has read of the node's hardware; it only adds to the part's name."""
    with contextlib.suppress(records.RecordError, paths.FolderError):
        folder = paths.run_folder(os.environ.get(paths.RUN_ID_VARIABLE, ""))
        return records.load(folder / f"{name}.json")["hardware"] or {}
    return {}
