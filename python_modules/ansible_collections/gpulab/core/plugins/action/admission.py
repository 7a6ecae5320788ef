# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The action ``gpulab.core.admission``: show which nodes are in service, or decide it by hand.

Documentation: plugins/modules/admission.py.
"""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils import lines
from ..plugin_utils.admission import admission
from ..plugin_utils.admission import table as admission_table
from ..plugin_utils.history import history
from ..plugin_utils.labs import folders
from ..plugin_utils.records import paths


class ActionModule(ActionBase):
    """Reads and writes the lab's state on the controller; connects to nothing."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _VALID_ARGS = frozenset({"release", "quarantine", "reason", "max_age_h"})

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return and print the state of every node of the inventory and of the file."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            argument_spec={
                "release": {"type": "str"},
                "quarantine": {"type": "str"},
                "reason": {"type": "str", "default": ""},
                "max_age_h": {"type": "float"},
            },
            mutually_exclusive=[("release", "quarantine")],
        )
        inventory = [str(name) for name in (task_vars or {}).get("groups", {}).get("all", [])]
        node = arguments["release"] or arguments["quarantine"]
        reason = arguments["reason"].strip()
        if node and not reason:
            raise AnsibleActionFail(f"say why, for those who find {node} like that: -e reason=...")
        warnings = []
        try:
            kept = folders.of((task_vars or {})["hostvars"], check_mode=self._task.check_mode)
            file = kept.state / admission.FILE
            if node and not self._task.check_mode:
                state, changes = admission.by_hand(
                    node,
                    reason,
                    getpass.getuser(),
                    inventory,
                    file,
                    lift=bool(arguments["release"]),
                    max_age_h=arguments["max_age_h"],
                )
                warnings = _note(changes, kept.state)
                result["changed"] = True
            else:
                state = admission.read(file)
                result["changed"] = False
        except (admission.AdmissionError, paths.FolderError) as error:
            raise AnsibleActionFail(str(error)) from error
        table = admission_table.rows(state, inventory, arguments["max_age_h"])
        lines.show(self._display, admission_table.lines(table))
        return {**result, "nodes": table, "warnings": [*kept.notices, *warnings]}


def _note(changes: list[tuple[str, admission.Entry]], state: Path) -> list[str]:
    """Write the change into the history, and return why that did not work."""
    try:
        with history.connect(state / history.FILE) as connection:
            history.note_admission(connection, changes)
    except history.HistoryError as error:
        return [f"done, and not noted in the history: {error}"]
    return []
