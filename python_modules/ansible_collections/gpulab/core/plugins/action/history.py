# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The action ``gpulab.core.history``: say what has happened to a part.

Documentation: plugins/modules/history.py.
"""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils import lines
from ..plugin_utils.history import history, lookup
from ..plugin_utils.labs import folders
from ..plugin_utils.records import paths
from ..plugin_utils.report import rebuild_history


class ActionModule(ActionBase):
    """Reads the history on the controller; connects to nothing."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _VALID_ARGS = frozenset({"part", "rebuild", "forget_metrics"})

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the ``answer``, and print it."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            argument_spec={
                "part": {"type": "str", "default": ""},
                "rebuild": {"type": "bool", "default": False},
                "forget_metrics": {"type": "bool", "default": False},
            }
        )
        result.update(changed=False, taken_up=0, forgotten=0, problems=[])
        try:
            kept = folders.of((task_vars or {})["hostvars"], check_mode=self._task.check_mode)
            result["warnings"] = list(kept.notices)
            if arguments["rebuild"] and not self._task.check_mode:
                taken, problems = rebuild_history.from_reports(kept.reports, kept.state)
                result.update(changed=True, taken_up=taken, problems=problems)
            with history.connect(kept.state / history.FILE) as connection:
                if arguments["forget_metrics"] and not self._task.check_mode:
                    forgotten = history.forget_metrics(connection)
                    result.update(changed=forgotten > 0, forgotten=forgotten)
                answer = lookup.answer(connection, arguments["part"])
        except (history.HistoryError, paths.FolderError) as error:
            raise AnsibleActionFail(str(error)) from error
        lines.show(self._display, lookup.lines(answer))
        return {**result, "answer": answer}
