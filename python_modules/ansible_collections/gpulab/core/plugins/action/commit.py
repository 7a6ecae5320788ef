# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The action ``gpulab.core.commit``: confirm a change over a connection that is new.

Documentation: plugins/modules/commit.py. Everything but the confirmation is the module's alone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ..plugin_utils.commit.advice import next_action

MODULE = "gpulab.core.commit"
#: What is asked of the node over a connection that is newer than the change.
_OVER_A_NEW_ONE = ("reached", "confirmed")
#: The commands start a second after the module has answered, and most take less than another.
_SETTLE_S = 1.5
_PAUSE_S = 1.0
#: One attempt must not take the whole time that there is to confirm.
_CONNECT_S = 5
#: A node that has gone back is reachable once what it undid has taken effect.
_GRACE_S = 60.0


@dataclass
class _Tries:
    """What happened since the change, in seconds."""

    since: float
    lost: int = 0
    old: int = 0
    last_error: str = ""

    @property
    def spent_s(self) -> float:
        return time.monotonic() - self.since


class ActionModule(ActionBase):
    """Closes Ansible's connection before each try, so that the next one is a new one."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return what the module returned; wait for a node that cannot be reached."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if arguments.get("state") not in _OVER_A_NEW_ONE or self._task.check_mode:
            result |= self._execute_module(MODULE, arguments, task_vars=task_vars)
            return result
        return result | self._confirm(arguments, task_vars or {})

    def _confirm(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        tries = _Tries(time.monotonic())
        timeout_s = float(arguments.get("timeout_s", 30))
        limit_s = timeout_s + _GRACE_S
        connection = self._connection
        own_s = int(connection.get_option("timeout")) if connection.has_option("timeout") else 0
        time.sleep(_SETTLE_S)
        while True:
            # A node that has gone back may take its time to answer: there is no hurry any more.
            connect_s = _CONNECT_S if tries.spent_s < timeout_s else max(_CONNECT_S, own_s)
            found = self._try(arguments, task_vars, tries, connect_s)
            if found is not None and not found.get("again"):
                return _told(found, tries, str(arguments["subject"]))
            if tries.spent_s > limit_s:
                raise AnsibleConnectionFailure(_never(arguments, tries))
            time.sleep(_PAUSE_S)

    def _try(
        self,
        arguments: dict[str, Any],
        task_vars: dict[str, Any],
        tries: _Tries,
        connect_s: int,
    ) -> dict[str, Any] | None:
        self._connection.reset()
        if self._connection.has_option("timeout"):
            self._connection.set_option("timeout", connect_s)
        try:
            found: dict[str, Any] = self._execute_module(MODULE, arguments, task_vars=task_vars)
        except AnsibleConnectionFailure as error:
            tries.lost += 1
            tries.last_error = str(error).strip()
            return None
        tries.old += bool(found.get("again"))
        return found


def _told(found: dict[str, Any], tries: _Tries, subject: str) -> dict[str, Any]:
    """Add to a failure what the controller saw meanwhile, and to a success what it is worth."""
    if found.get("failed"):
        seen = (
            f"No new connection could be opened for {tries.spent_s:.0f} s ({tries.last_error}), "
            "and now one can"
            if tries.lost
            else f"{tries.old} connections were refused because they were older than the change: "
            "does the connection plugin keep them open?"
            if tries.old
            else f"This was {tries.spent_s:.0f} s after it was asked for"
        )
        # The summary of the run takes what is behind the arrow as the next action.
        advice = next_action(subject, tries.last_error)
        return {**found, "msg": f"{found.get('msg')}. {seen}. -> {advice}"}
    if not found.get("proved"):
        return {**found, "msg": "Reached; this connection proves nothing about the way in by SSH."}
    return {**found, "msg": f"Reached over a new SSH connection after {tries.spent_s:.1f} s."}


def _never(arguments: dict[str, Any], tries: _Tries) -> str:
    return (
        f"no new connection for {tries.spent_s:.0f} s after the change of the "
        f"{arguments.get('subject')} ({tries.last_error or 'all were older than it'}), which the "
        "node should have undone by itself: see `gpulab-rollback status` at its console, and "
        "`gpulab-rollback now`"
    )
