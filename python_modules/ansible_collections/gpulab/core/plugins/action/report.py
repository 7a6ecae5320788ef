# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The action ``gpulab.core.report``: print the lab's verdict and write the page.

Documentation: plugins/modules/report.py.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils import lines
from ..plugin_utils.admission import admission
from ..plugin_utils.admission import table as admission_table
from ..plugin_utils.inventory import hosts
from ..plugin_utils.labs import folders
from ..plugin_utils.records import paths
from ..plugin_utils.report import report


class ActionModule(ActionBase):
    """Reads and writes the run's folder on the controller; connects to nothing."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _VALID_ARGS = frozenset({"nodes", "max_age_h", "require_speed", "textfile_dir"})

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the lab's ``verdict``, where the ``page`` is, and what keeps it from passing."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            argument_spec={
                "nodes": {"type": "list", "elements": "str", "required": True},
                "max_age_h": {"type": "float", "default": admission.MAX_AGE_H},
                "require_speed": {"type": "bool", "default": False},
                "textfile_dir": {"type": "path"},
            }
        )
        result["changed"] = False
        if self._task.check_mode:
            return {
                **result,
                "refused": {},
                "states": {},
                "msg": "Check mode: nothing is recorded or judged.",
            }
        variables = task_vars or {}
        textfile_dir = arguments["textfile_dir"]
        expected = [hosts.describe(variables["hostvars"], name) for name in arguments["nodes"]]
        try:
            own = folders.of(variables["hostvars"])
            folder = _folder(own.lab)
            summary, told = report.write(
                folder,
                expected,
                _lab_name(variables),
                max_age_h=arguments["max_age_h"],
                require_speed=arguments["require_speed"],
                textfile_dir=Path(textfile_dir) if textfile_dir else None,
            )
            paths.point_latest(folder)
        except paths.FolderError as error:
            raise AnsibleActionFail(str(error)) from error
        lines.show(self._display, told)
        refused = report.refused(summary, arguments["nodes"])
        page = str(folder / report.PAGE)
        states = _states(own.state / admission.FILE, arguments["nodes"])
        return {
            **result,
            "verdict": summary["verdict"],
            "page": page,
            "refused": refused,
            "states": states,
            "warnings": list(own.notices),
        }


def _folder(lab: str) -> Path:
    run_id = os.environ.get(paths.RUN_ID_VARIABLE, "")
    folder = paths.run_folder(lab, run_id)
    if not folder.is_dir():
        msg = (
            f"nothing was recorded in run {run_id}, so there is nothing to report: "
            "ansible-playbook site.yml --tags verify"
        )
        raise paths.FolderError(msg)
    return folder


def _states(file: Path, nodes: list[str]) -> dict[str, dict[str, Any]]:
    """Return the admission of these nodes; of none where it cannot be read, which the page says."""
    try:
        table = admission_table.rows(admission.read(file), nodes)
    except admission.AdmissionError:
        return {}
    return {name: table[name] for name in nodes}


def _lab_name(variables: dict[str, Any]) -> str:
    own = variables["hostvars"][variables["inventory_hostname"]]
    return str(own.get("lab_name", ""))
