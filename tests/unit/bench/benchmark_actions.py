"""Runs an action here, with its module in this process instead of on a node."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.testing import patch_module_args
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.action import ActionBase
from ansible.template import Templar
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

Run = Callable[..., dict[str, Any]]


def hostvars() -> HostVars:
    """Return what Ansible knows of an inventory of one node."""
    loader = DataLoader()
    inventory = InventoryManager(loader, sources=["node01,"])
    return HostVars(inventory, VariableManager(loader, inventory), loader)


def runner(
    action: type[ActionBase], module: ModuleType, capsys: pytest.CaptureFixture[str], **always: Any
) -> Run:
    """Return a function that runs ``action`` with options and gives its result.

    Args:
        action: Its class.
        module: The module that it runs on the node.
        capsys: pytest's.
        always: Options that every call has.
    """

    class Here(action):  # type: ignore[misc, valid-type]
        def _execute_module(
            self, module_args: dict[str, Any] | None = None, **_: Any
        ) -> dict[str, Any]:
            arguments = self._task.args if module_args is None else module_args
            with patch_module_args(arguments), pytest.raises(SystemExit):
                module.main()
            answer: dict[str, Any] = json.loads(capsys.readouterr().out)
            return answer

    def run(
        variables: dict[str, Any] | None = None, *, check: bool = False, **options: Any
    ) -> dict[str, Any]:
        task = SimpleNamespace(args={**always, **options}, check_mode=check, async_val=0)
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
        loader = DataLoader()
        made = Here(task, connection, None, loader, Templar(loader=loader), None)
        try:
            result: dict[str, Any] = made.run(
                task_vars={
                    "inventory_hostname": "node01",
                    "hostvars": hostvars(),
                    **(variables or {}),
                }
            )
        except AnsibleActionFail as error:
            return {"failed": True, "msg": str(error)}
        return result

    return run
