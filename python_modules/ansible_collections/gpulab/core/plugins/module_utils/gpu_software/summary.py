"""What verification compares of a node's GPU software: versions, and whether a reboot is due."""

from __future__ import annotations

from typing import Any, Callable, TypeVar

from ..hardware.nvidia_library import library_version
from ..hardware.pci import count_nvswitches
from ..hardware.sysfs import ProbeError, Tree
from ..hardware.tools import RunTool
from .boot import read_kernels, reboot_reasons, unknown_order
from .bus import nvidia_gpus
from .kernel_modules import loaded_version, read_blacklist, read_module
from .packages import FABRIC_MANAGER, IMEX, read_packages, upstream_version, version_of

_Section = TypeVar("_Section")
_DCGM = "datacenter-gpu-manager"
_NOTHING: dict[str, Any] = {}


def read_gpu_software(tree: Tree, run: RunTool) -> dict[str, Any]:
    """Return the section ``gpu_software`` of the hardware facts.

    Part by part: what can't be read is null, and ``unread`` says why, by the part's name.
    """
    unread: dict[str, str] = {}

    def part(name: str, read: Callable[[], _Section], otherwise: _Section) -> _Section:
        try:
            return read()
        except ProbeError as error:
            unread[name] = str(error)
            return otherwise

    kernel = part("kernel", lambda: read_kernels(tree), _NOTHING)
    module: dict[str, Any] = {"on_disk": None}
    if kernel:
        module = part(
            "module",
            lambda: read_module(tree, run, kernel["running"], kernel["installed"]),
            module,
        )
    loaded = loaded_version(tree)
    found = part("packages", lambda: read_packages(tree, run), _NOTHING)
    packages = found.get("packages") or {}
    dcgm = {
        upstream_version(package["version"])
        for name, package in packages.items()
        if name.startswith(_DCGM)
    }
    reasons = reboot_reasons(
        tree,
        kernel,
        {**module, "loaded": loaded},
        part("gpus", lambda: nvidia_gpus(tree), []),
        part("blacklisted", lambda: read_blacklist(tree), []),
    )
    order = unknown_order(tree, kernel)
    if order:
        unread["reboot"] = order
    return {
        "module_loaded": loaded,
        "module_on_disk": module["on_disk"],
        "library": library_version(tree),
        "fabricmanager": version_of(packages, *FABRIC_MANAGER),
        "imex": version_of(packages, *IMEX),
        "dcgm": sorted(version for version in dcgm if version),
        "nvswitches": part("nvswitches", lambda: count_nvswitches(tree), None),
        "half_configured": found.get("broken"),
        "reboot_reasons": reasons,
        "unread": unread,
    }
