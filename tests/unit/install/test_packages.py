"""Packages by the node's own package manager: what it is given, and when it is not asked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.gpulab.core.plugins.action.packages import ActionModule
from ansible_collections.gpulab.core.plugins.plugin_utils.install.package_manager import (
    package_task,
)

COMMON = {"name": ["chrony"], "state": "present", "update_cache": True, "lock_timeout": 300}


@pytest.mark.parametrize(
    ("manager", "asked", "options"),
    [
        ("apt", {}, {}),
        ("apt", {"recommends": False}, {"install_recommends": False}),
        ("apt", {"start_services": False}, {"policy_rc_d": 101}),
        ("dnf", {"recommends": False}, {"install_weak_deps": False}),
        # Nothing starts by itself there.
        ("dnf5", {"recommends": True, "start_services": False}, {"install_weak_deps": True}),
    ],
)
def test_each_package_manager_is_asked_in_its_words(
    manager: str, asked: dict[str, Any], options: dict[str, Any]
) -> None:
    wanted = {"recommends": None, "start_services": True, "lock_timeout_s": 300, **asked}
    assert package_task(manager, ["chrony"], **wanted) == (
        f"ansible.legacy.{manager}",
        {**COMMON, **options},
    )


class Action(ActionModule):
    """The action on a node whose modules answer that something was installed."""

    def __init__(self, *, check_mode: bool = False, **options: Any) -> None:
        """Take the options of a task."""
        self._task = SimpleNamespace(
            args=options, check_mode=check_mode, async_val=0, action="gpulab.core.packages"
        )
        self._connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=""))
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def _execute_module(self, name: str, options: dict[str, Any], **_: Any) -> dict[str, Any]:
        self.asked.append((name, options))
        return {"changed": True, "cache_updated": True}


APT = {"ansible_facts": {"pkg_mgr": "apt"}}


def test_it_installs() -> None:
    action = Action(names=["chrony"], lock_timeout_s=300)
    assert action.run(task_vars=APT)["changed"] is True
    assert action.asked == [("ansible.legacy.apt", COMMON)]


def test_a_node_that_lacks_nothing_is_not_asked() -> None:
    action = Action(names=[])
    assert action.run(task_vars=APT)["changed"] is False
    assert action.asked == []


def test_check_mode_says_what_it_would_do_and_asks_nothing() -> None:
    action = Action(check_mode=True, names=["chrony", "nftables"])
    found = action.run(task_vars=APT)
    assert (found["changed"], found["msg"]) == (True, "Would install chrony, nftables")
    assert action.asked == []


@pytest.mark.parametrize("task_vars", [{}, {"ansible_facts": {"pkg_mgr": "pacman"}}])
def test_a_package_manager_that_nobody_knows_is_refused(task_vars: dict[str, Any]) -> None:
    with pytest.raises(AnsibleActionFail, match="not one of apt, dnf, dnf5: gather facts first"):
        Action(names=["chrony"]).run(task_vars=task_vars)
