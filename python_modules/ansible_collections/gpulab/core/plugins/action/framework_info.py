# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The action ``gpulab.core.framework_info``: read a node by its module of that name; decide.

Documentation: plugins/modules/framework_info.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils.frameworks.plan import Framework, Request, make_plan

MODULE = "gpulab.core.framework_info"
REQUESTED = {
    "name": {"type": "str", "required": True},
    "title": {"type": "str", "required": True},
    "packages": {"type": "dict", "required": True},
    "build": {"type": "str", "required": True, "choices": ["auto", "cpu", "cuda"]},
    "version": {"type": "str", "required": True},
    "python": {"type": "str", "required": True},
    "machine": {"type": "str", "required": True},
    "locks": {"type": "dict", "required": True},
    "disk_gib": {"type": "dict", "required": True},
    "keep": {"type": "int", "required": True},
}


class ActionModule(ActionBase):
    """Locks and decisions stay on the controller; the node is only read."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return what the module reads and, for a requested, ``plan``."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            argument_spec={
                "prefix": {"type": "path", "required": True},
                "interpreter": {"type": "path", "required": True},
                "files": {"type": "list", "elements": "dict", "default": []},
                "requested": {"type": "dict", "options": REQUESTED},
            }
        )
        requested = options.pop("requested")
        result |= self._execute_module(MODULE, module_args=options, task_vars=task_vars)
        if requested is None or result.get("failed"):
            return result
        framework = Framework(requested["name"], requested["title"], requested["packages"])
        plan = make_plan(framework, _declared(requested), result)
        if plan["note"]:
            result["warnings"] = [*result.get("warnings", []), plan["note"]]
        if plan["problem"]:
            result |= {"failed": True, "msg": plan["problem"]}
        return result | {"plan": plan}


def _declared(options: dict[str, Any]) -> Request:
    """Return the requested with the text of its locks."""
    locks = {build: _text(options["name"], build, path) for build, path in options["locks"].items()}
    rest = {key: options[key] for key in ("build", "version", "python", "machine", "keep")}
    disk_gib = {build: float(gib) for build, gib in options["disk_gib"].items()}
    return Request(locks=locks, disk_gib=disk_gib, **rest)


def _text(framework: str, build: str, path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError as error:
        key = f"{framework}_lock_{build}"
        raise AnsibleActionFail(f"{key}: {path} cannot be read: {error.strerror}") from error
