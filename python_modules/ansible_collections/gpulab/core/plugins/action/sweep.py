# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The action ``gpulab.core.sweep``: read and judge the hardware of all nodes at once.

Documentation: plugins/modules/sweep.py.
"""

from __future__ import annotations

import functools
import os
import time
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils import lines
from ..plugin_utils.inventory import sources
from ..plugin_utils.labs import folders
from ..plugin_utils.lines import Line
from ..plugin_utils.records import paths, records
from ..plugin_utils.report import lab_summary, metric_table, report, terminal
from ..plugin_utils.sweep import asking, inventory, sweep


class ActionModule(ActionBase):
    """Asks the nodes by connections of its own, all of them side by side."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _VALID_ARGS = frozenset({"nodes", "timeout_s", "parallel"})

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the lab's ``verdict``, where the ``page`` is, and what keeps it from passing."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            argument_spec={
                "nodes": {"type": "list", "elements": "str", "required": True},
                "timeout_s": {"type": "float", "default": asking.TIMEOUT_S},
                "parallel": {"type": "int", "default": asking.PARALLEL},
            }
        )
        variables = task_vars or {}
        own = variables["hostvars"][variables["inventory_hostname"]]
        lab = str(own.get("lab_name", ""))
        started = time.monotonic()
        try:
            kept = folders.of(variables["hostvars"], check_mode=self._task.check_mode)
            folder = sweep.new_folder(kept.lab, os.environ.get(paths.RUN_ID_VARIABLE, ""))
            targets = inventory.read(variables["hostvars"], arguments["nodes"])
            swept = sweep.sweep(
                folder.name,
                targets,
                functools.partial(
                    asking.ask, timeout_s=arguments["timeout_s"], parallel=arguments["parallel"]
                ),
                sources.named(),
            )
            expected = [target["host"] for target in targets]
            made = (
                _judged(swept, expected, lab)
                if self._task.check_mode
                else _reported(swept, expected, lab, folder)
            )
        except (asking.AskingError, paths.FolderError, records.RecordError) as error:
            raise AnsibleActionFail(str(error)) from error
        told = (
            f"Sweep: {swept.answered} of {len(targets)} nodes answered, "
            f"{time.monotonic() - started:.1f} s. Hardware only: no benchmark was run."
        )
        lines.show(self._display, [*made.lines, Line("", told)])
        page = {} if self._task.check_mode else {"page": str(folder / report.PAGE)}
        return {
            **result,
            "changed": False,
            "verdict": made.summary["verdict"],
            "warnings": list(kept.notices),
            "refused": report.refused(made.summary, arguments["nodes"]),
            **page,
        }


def _reported(
    swept: sweep.Swept, expected: list[dict[str, Any]], lab: str, folder: Path
) -> report.Report:
    """Keep the run, and write its report."""
    sweep.keep(swept.run, folder)
    made = report.write(folder, expected, lab, stages=sweep.STAGES)
    paths.point_latest(folder)
    return made


def _judged(swept: sweep.Swept, expected: list[dict[str, Any]], lab: str) -> report.Report:
    """Judge the run without a trace."""
    summary = lab_summary.summarise(swept.run, expected, lab, sweep.STAGES)
    return report.Report(summary, terminal.lines(summary, metric_table.table({}), None))
