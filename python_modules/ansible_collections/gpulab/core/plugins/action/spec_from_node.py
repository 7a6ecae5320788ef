# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The action ``gpulab.core.spec_from_node``: write a hardware spec from a known-good node.

Documentation: plugins/modules/spec_from_node.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils.checks.hardware.catalogue import FactsError
from ..plugin_utils.records import paths
from ..plugin_utils.spec_from_node import spec_from_node


class ActionModule(ActionBase):
    """Writes at most one file on the controller; connects to nothing."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _VALID_ARGS = frozenset(
        {"hardware", "name", "description", "dest", "overwrite", "allow_unread"}
    )

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return ``spec``, ``yaml``, ``left_out`` and ``path``."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            argument_spec={
                "hardware": {"type": "dict", "required": True},
                "name": {"type": "str", "required": True},
                "description": {"type": "str", "default": ""},
                "dest": {"type": "path"},
                "overwrite": {"type": "bool", "default": False},
                "allow_unread": {"type": "bool", "default": False},
            }
        )
        # Ansible's texts are of types of its own, which YAML does not write.
        arguments = json.loads(json.dumps(arguments))
        node = str((task_vars or {})["inventory_hostname"])
        facts = arguments["hardware"]
        try:
            name = paths.safe_name(arguments["name"], "the spec's name")
            captured = spec_from_node.capture(
                facts,
                arguments["description"] or spec_from_node.describe(facts, node),
                allow_unread=arguments["allow_unread"],
            )
        except (spec_from_node.CaptureError, FactsError, paths.FolderError) as error:
            raise AnsibleActionFail(str(error)) from error
        text = spec_from_node.render(name, captured, node)
        result.update(changed=False, spec=captured.spec, yaml=text, left_out=captured.left_out)
        if arguments["dest"]:
            result["path"] = arguments["dest"]
            result["changed"] = self._write(
                Path(arguments["dest"]), text, overwrite=arguments["overwrite"]
            )
        return result

    def _write(self, path: Path, text: str, *, overwrite: bool) -> bool:
        """Write the file, unless in check mode, and return whether that is a change."""
        if path.exists():
            if path.is_file() and path.read_text(encoding="utf-8") == text:
                return False
            if not overwrite or not path.is_file():
                raise AnsibleActionFail(
                    f"{path} is there already: name another file, or allow to replace it "
                    "(spec_overwrite: true)"
                )
        if not self._task.check_mode:
            paths.write_text(path, text)
        return True
