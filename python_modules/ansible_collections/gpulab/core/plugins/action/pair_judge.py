# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The action ``gpulab.core.pair_judge``: lay what is slow to a node, a card or a cable.

Documentation: plugins/modules/pair_judge.py.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils.checks.pairs import judge, plan
from ..plugin_utils.checks.pairs.limits import LIMITS, limits_of
from ..plugin_utils.labs import lab
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
        folder = _folder(task_vars or {})
        try:
            zone, members, due = plan.read(options["plan"])
            judged = judge.judge(
                members,
                due,
                options["measurements"],
                zone=zone,
                limits=limits_of(options["limits"]),
                hardware={name: _hardware(folder, name) for name in members},
            )
        except ValueError as error:
            raise AnsibleActionFail(str(error)) from error
        return {**result, "changed": False, "nodes": judged}


def _folder(task_vars: dict[str, Any]) -> Path | None:
    with contextlib.suppress(paths.FolderError):
        own = lab.of(task_vars["hostvars"]).folder
        return paths.run_folder(own, os.environ.get(paths.RUN_ID_VARIABLE, ""))
    return None


def _hardware(folder: Path | None, name: str) -> dict[str, Any]:
    """Return what this run has read of the node's hardware; it only adds to the part's name."""
    if folder is None:
        return {}
    with contextlib.suppress(records.RecordError):
        return records.load(folder / f"{name}.json")["hardware"] or {}
    return {}
