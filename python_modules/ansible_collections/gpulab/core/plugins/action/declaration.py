# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The action ``gpulab.core.declaration``: check the whole inventory on the controller.

Documentation: plugins/modules/declaration.py.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_version
from ansible.vars.hostvars import HostVars

from ..plugin_utils.declaration.controller import controller_problem

# The checks below need it.
MISSING_PACKAGE = "" if importlib.util.find_spec("jsonschema") else "jsonschema"


class ActionModule(ActionBase):
    """Reads the variables of every node; connects to none."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset({"schema"})

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return ``errors``, ``machines`` and ``not_enforced``; fail when there is an error."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        result["changed"] = False
        problem = controller_problem(ansible_version, sys.version_info[:2], MISSING_PACKAGE)
        if problem:
            nothing: dict[str, Any] = {"errors": [], "machines": 0, "not_enforced": []}
            return {**result, **nothing, "failed": True, "msg": problem}
        found = _check(task_vars or {}, self._task.args.get("schema"), self._loader)
        if not found["errors"]:
            # Before hours of work, and not at its end where the first record is written.
            found |= _past((task_vars or {})["hostvars"], check_mode=self._task.check_mode)
        return result | found


def _check(task_vars: dict[str, Any], schema: str | None, loader: DataLoader) -> dict[str, Any]:
    # Imported late: these need jsonschema and ansible-core 2.19, which run() has made sure of.
    from ..plugin_utils.checks.specs import BUILTIN_SPECS
    from ..plugin_utils.declaration import check, shape, sources, unenforced
    from ..plugin_utils.declaration.collect import collect
    from ..plugin_utils.inventory.machines import read_machines

    machines = read_machines(task_vars, loader)
    declaration = collect(machines, frozenset(map(str, task_vars["groups"])))
    errors = check.check_declaration(
        declaration,
        json.loads(Path(schema or shape.SCHEMA).read_text(encoding="utf-8")),
        sources.read_sources(
            map(str, task_vars["ansible_inventory_sources"]),
            Path.cwd(),
            loader.get_text_file_contents,
        ),
        BUILTIN_SPECS,
    )
    # Ansible prints a failed task's message twice and its values once: so the message is short.
    found = {
        "errors": [check.block(error) for error in errors],
        "machines": len(machines),
        "not_enforced": unenforced.not_enforced(declaration),
    }
    if errors:
        return {**found, "failed": True, "msg": check.headline(errors)}
    return {**found, "msg": f"The declaration of {len(machines)} machines is sound."}


def _past(hostvars: HostVars, *, check_mode: bool) -> dict[str, Any]:
    """Return the failure of a lab whose past cannot be told from another's."""
    # Imported late: they need jsonschema, too.
    from ..plugin_utils.labs import folders
    from ..plugin_utils.records.paths import FolderError

    try:
        folders.of(hostvars, check_mode=check_mode)
    except FolderError as error:
        return {"failed": True, "msg": str(error)}
    return {}
