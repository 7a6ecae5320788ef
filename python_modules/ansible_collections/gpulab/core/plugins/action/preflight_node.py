# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The action ``gpulab.core.preflight_node``: read a node by its module of that name; judge it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from ..plugin_utils.preflight.judge import Limits, judge, judge_failure

MODULE = "gpulab.core.preflight_node"


class ActionModule(ActionBase):
    """Turns every way in which a node can fail to answer into a row."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return ``ok`` and ``checks``; never fail because of the node."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            argument_spec={
                "root_gib_min": {"type": "float", "default": 5},
                "var_gib_min": {"type": "float", "default": 2},
                "clock_skew_s_max": {"type": "float", "default": 30},
                "gpu_software": {"type": "dict"},
                "framework_locks": {"type": "dict", "default": {}},
            }
        )
        software = options.pop("gpu_software")
        locks = {name: _text(path) for name, path in options.pop("framework_locks").items()}
        row = self._row(Limits(**options), software, locks, task_vars or {})
        return result | {"changed": False} | row

    def _row(
        self,
        limits: Limits,
        software: dict[str, Any] | None,
        locks: dict[str, str],
        task_vars: dict[str, Any],
    ) -> dict[str, Any]:
        asked = time.time()
        try:
            read = self._execute_module(MODULE, module_args={}, task_vars=task_vars)
        except AnsibleConnectionFailure as error:
            return self._failure(str(error), reached=False)
        except AnsibleError as error:
            return self._failure(str(error), reached=True)
        if read.get("failed") or "facts" not in read:
            said = (read.get(key) for key in ("msg", "module_stderr", "module_stdout"))
            return self._failure("\n".join(str(text) for text in said if text), reached=True)
        row = judge(read["facts"], limits, asked, time.time(), software, locks)
        # The interpreter that Ansible found, so that the next task need not look again.
        found = read.get("ansible_facts")
        return {**row, "ansible_facts": found} if found else row

    def _failure(self, message: str, *, reached: bool) -> dict[str, Any]:
        address = str(self._play_context.remote_addr)
        user = str(self._play_context.remote_user or "the login")
        port = int(self._play_context.port or 22)
        return judge_failure(message, reached=reached, address=address, user=user, port=port)


def _text(path: str) -> str:
    """Return a lock's text; of one that can't be read nothing is known: its role says so."""
    try:
        return Path(path).read_text()
    except OSError:
        return ""
