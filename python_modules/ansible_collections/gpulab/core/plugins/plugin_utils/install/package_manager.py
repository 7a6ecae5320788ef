"""Ask a node's own package manager for packages: by which module, with which options. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

#: What each package manager's module calls "with what the packages recommend".
_RECOMMENDS = {"apt": "install_recommends", "dnf": "install_weak_deps", "dnf5": "install_weak_deps"}


def package_task(
    manager: str,
    names: Sequence[str],
    *,
    recommends: bool | None,
    start_services: bool,
    lock_timeout_s: int,
) -> tuple[str, dict[str, Any]]:
    """Return the module that installs packages on a node, and its options.

    Args:
        manager: the fact ``pkg_mgr``.
        names: the packages, as the manager takes them.
        recommends: whether what they recommend comes with them; None: as the node is configured.
        start_services: whether their services may start by themselves. Only apt's ever do.
        lock_timeout_s: seconds to wait for another run of the manager.

    Raises:
        ValueError: nobody here knows the package manager.
    """
    if manager not in _RECOMMENDS:
        known = ", ".join(_RECOMMENDS)
        raise ValueError(f"the package manager {manager!r} is not one of {known}")
    options: dict[str, Any] = {
        "name": list(names),
        "state": "present",
        "update_cache": True,
        "lock_timeout": lock_timeout_s,
    }
    if recommends is not None:
        options[_RECOMMENDS[manager]] = recommends
    if manager == "apt" and not start_services:
        # policy-rc.d(8): 101 is "not allowed".
        options["policy_rc_d"] = 101
    return f"ansible.legacy.{manager}", options
