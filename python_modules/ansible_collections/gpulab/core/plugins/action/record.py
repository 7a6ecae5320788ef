# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The action ``gpulab.core.record``: keep what a stage found on a node, on the controller.

Documentation: plugins/modules/record.py.
"""

from __future__ import annotations

import os
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils.inventory import hosts
from ..plugin_utils.labs import folders
from ..plugin_utils.records import paths, records


class ActionModule(ActionBase):
    """Writes one file on the controller; connects to nothing."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _VALID_ARGS = frozenset({"verification", "benchmark", "ddp", "pairs"})

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the record's ``verdict`` and ``path``."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            argument_spec={
                "verification": {"type": "dict"},
                "benchmark": {"type": "dict"},
                "ddp": {"type": "dict"},
                "pairs": {"type": "dict"},
            },
            required_one_of=[("verification", "benchmark", "ddp", "pairs")],
        )
        result["changed"] = False
        if self._task.check_mode:
            return {**result, "msg": "Check mode: no record is written."}
        variables = task_vars or {}
        host = hosts.describe(variables["hostvars"], variables["inventory_hostname"])
        try:
            lab = folders.of(variables["hostvars"]).lab
            record, path = _record(lab, host, arguments)
        except (records.RecordError, paths.FolderError) as error:
            raise AnsibleActionFail(str(error)) from error
        return {**result, "verdict": record["verdict"], "path": str(path)}


def _record(
    lab: str, host: dict[str, Any], arguments: dict[str, Any]
) -> tuple[records.Record, Any]:
    run_id = os.environ.get(paths.RUN_ID_VARIABLE, "")
    folder = paths.run_folder(lab, run_id)
    path = folder / f"{host['name']}.json"
    record = records.load(path) if path.exists() else records.new(run_id, host)
    found = arguments["verification"]
    if found is not None:
        records.add_verification(record, found["hardware"], found, found["spec_name"])
    if arguments["benchmark"] is not None:
        records.add_benchmark(record, arguments["benchmark"])
    if arguments["ddp"] is not None:
        ddp = arguments["ddp"]
        records.add_stage(record, records.DDP, ddp["checks"], ddp["metrics"])
    if arguments["pairs"] is not None:
        pairs = arguments["pairs"]
        records.add_stage(record, records.PAIRS, pairs["findings"], pairs["metrics"])
    return record, records.save(record, folder)
