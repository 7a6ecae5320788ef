"""What stops a run before it changes a node's driver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .driver_node import Node, Platform, Request
from .driver_packages import DriverPackages
from .fabric import missing

SOURCE, DRIVER = "lab_software.nvidia_driver.source", "lab_software.nvidia_driver"
_READ = ("module", "packages", "blacklisted", "kernel")


def unread(nvidia: Mapping[str, Any]) -> list[str]:
    """Say what could not be read.

    A decision on it would install again what is there, or call it missing.
    """
    return [
        f"what is installed could not be read: {reason}"
        for section, reason in nvidia["unread"].items()
        if section in _READ
    ]


def refusals(
    node: Node, plan: Mapping[str, Any], platform: Platform, request: Request, *, dkms: bool
) -> list[str]:
    """Say what cannot work on this node.

    Args:
        node: what is on the node.
        plan: what `resolve.make_plan` returns for it.
        platform: its platform's names.
        request: what is asked for.
        dkms: whether the modules are built on the node.
    """
    source = plan["source"]
    sets = platform.names(source)
    lines = [*plan["problems"], *unread(node.nvidia)]
    if source not in platform.sets:
        lines.append(
            f"{SOURCE}: {source} has no driver for {platform.distribution}: declare source: nvidia"
        )
    if plan["fabricmanager"] and not sets.get("fabricmanager"):
        lines.append(
            f"this machine has NVSwitches, and {SOURCE}: {source} has no fabric manager for them: "
            "declare source: nvidia"
        )
    lacking = missing(plan, platform.distribution)
    if lacking and source in platform.sets:
        lines.append(
            f"the NVLink fabric of this machine needs {', '.join(lacking)}, which {SOURCE}: "
            f"{source} has not: declare source: nvidia"
        )
    if request.settings.get("gds") and source in platform.sets and not sets.get("gds"):
        lines.append(
            f"node_gpu.gds is true, and {SOURCE}: {source} has no nvidia-fs for it: declare "
            "source: nvidia, or gds: false"
        )
    secure_boot = node.nvidia["secure_boot"] == "on" and not node.in_container
    if dkms and secure_boot and "mok" not in node.listed:
        lines.append(
            "Secure Boot is on, and the modules are built here and signed by a key that the "
            "firmware does not know: they would not load. Enrol the key once: "
            f'{platform.mok_advice}; choose a password, reboot, choose "Enroll MOK" on the console '
            "and type the password; then run again. Or switch Secure Boot off in the firmware"
        )
    return lines


def replaced(node: Node, plan: Mapping[str, Any], packages: DriverPackages) -> list[str]:
    """Say what a run would replace under the programs that use it.

    Of the same branch, and as long as it is not loaded, nothing is lost.
    """
    module, branch = node.before["module"], plan["branch"]
    lines = []
    if module["on_disk"] and not module["on_disk"].startswith(f"{branch}."):
        lines.append(f"{module['on_disk']} is installed, and {DRIVER} asks for branch {branch}")
    if module["loaded"] and packages.wrong_version:
        lines.append(f"{module['loaded']} is loaded, and {DRIVER}.version is {plan['version']}")
    if module["loaded"] and packages.other_flavour:
        lines.append(
            f"the {module['flavour']} modules of {', '.join(packages.other_flavour)} are loaded, "
            f"and this machine is to have the {plan['flavour']} ones of source {plan['source']} "
            f"({plan['flavour_why']})"
        )
    return lines
