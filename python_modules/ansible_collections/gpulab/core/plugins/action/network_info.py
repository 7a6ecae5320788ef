# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The action ``gpulab.core.network_info``: read a node by its module of that name; compare.

Documentation: plugins/modules/network_info.py.
"""

from __future__ import annotations

import time
from typing import Any

from ansible.plugins.action import ActionBase

from ..plugin_utils.network.model import NetworkError
from ..plugin_utils.network.plan import compare

#: Between two looks at a node that is not as declared yet, in seconds.
_POLL_S = 1.0


class ActionModule(ActionBase):
    """Reads the node until it is as declared, or its time is up."""

    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset({"interfaces", "zones", "wait_s"})

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return what the module read, and where that differs from the declaration."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            argument_spec={
                "interfaces": {"type": "dict"},
                "zones": {"type": "dict", "default": {}},
                "wait_s": {"type": "int", "default": 0},
            }
        )
        deadline = time.monotonic() + options["wait_s"]
        while True:
            found: dict[str, Any] = self._execute_module(
                module_name="gpulab.core.network_info", module_args={}, task_vars=task_vars
            )
            if found.get("failed") or found.get("unreachable"):
                return {**result, **found}
            try:
                differences = compare(
                    found["network"], options["interfaces"] or {}, options["zones"]
                )
            except NetworkError as error:
                return {**result, **found, "failed": True, "msg": str(error)}
            if not differences or time.monotonic() > deadline:
                return {**result, **found, "differences": differences}
            time.sleep(_POLL_S)
