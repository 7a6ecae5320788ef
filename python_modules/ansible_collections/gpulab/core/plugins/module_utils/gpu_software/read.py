"""Read everything about a node's GPU software. Changes nothing; loads no module."""

from __future__ import annotations

import re
from typing import Any, Callable

from ..hardware.nvidia_library import library_version
from ..hardware.pci import count_nvswitches
from ..hardware.runner import Probe, run_probes
from ..hardware.sysfs import Tree
from ..hardware.tools import RunTool, run_tool
from .boot import (
    read_initramfs,
    read_kernels,
    read_secure_boot,
    reboot_reasons,
    unknown_order,
)
from .bus import nvidia_gpus
from .catalogue import version_key
from .kernel_modules import loaded_version, read_blacklist, read_module
from .packages import FABRIC_MANAGER, IMEX, Packages, read_packages, version_of

# Files answer in milliseconds, package managers and DKMS within a few seconds; on an emulated
# node beside other work they took more than 20 (measured 2026-11-25).
_DEADLINE_S = 60.0
# NVIDIA's components: packages by the names of all platforms, the most telling first.
_DCGM = (r"datacenter-gpu-manager-4-core", r"datacenter-gpu-manager(-4-cuda.*)?")
_CONTAINER_TOOLKIT = (r"nvidia-container-toolkit",)
_PERSISTENCED = (r"nvidia-persistenced", r"nvidia-compute-utils(-.*)?")
_DEBIAN_CUDA = "nvidia-cuda-toolkit"


def gather(tree: Tree, run: RunTool = run_tool, deadline_s: float = _DEADLINE_S) -> dict[str, Any]:
    """Return the state of a node's GPU software, as gpulab.core.nvidia_info documents it.

    Args:
        tree: the node's files.
        run: how to run a tool.
        deadline_s: seconds after which a section is given up; sections are read at once.

    Returns:
        Everything that could not be read is null, and ``unread`` says why, by section.
    """

    def probe(read: Callable[[], Any]) -> Probe:
        return Probe(read, deadline_s)

    outcomes = run_probes(
        {
            "gpus": probe(lambda: nvidia_gpus(tree)),
            "nvswitches": probe(lambda: count_nvswitches(tree)),
            "kernel": probe(lambda: read_kernels(tree)),
            "secure_boot": probe(lambda: read_secure_boot(tree, run)),
            "module": probe(lambda: _module(tree, run)),
            "packages": probe(lambda: read_packages(tree, run)),
            "blacklisted": probe(lambda: read_blacklist(tree)),
            "initramfs": probe(lambda: read_initramfs(tree, read_kernels(tree)["running"])),
        }
    )
    found = {name: outcome.value for name, outcome in outcomes.items()}
    unread = {name: outcome.reason for name, outcome in outcomes.items() if not outcome.ok}
    secure_boot, secure_boot_how = found["secure_boot"] or ("unknown", unread.get("secure_boot"))
    packages = (found["packages"] or {}).get("packages")
    # What is loaded is in a file of its own, and known whatever became of the rest.
    module = found["module"] or {**_NO_MODULE, "loaded": loaded_version(tree)}
    reasons = reboot_reasons(
        tree, found["kernel"] or {}, module, found["gpus"] or (), found["blacklisted"] or ()
    )
    order = unknown_order(tree, found["kernel"] or {})
    if order:
        unread["reboot"] = order
    return {
        "gpus": found["gpus"],
        "nvswitches": found["nvswitches"],
        "kernel": found["kernel"],
        "secure_boot": secure_boot,
        "secure_boot_how": secure_boot_how,
        "module": module,
        "userspace": library_version(tree),
        **_components(packages),
        "cuda": _cuda(tree, packages),
        "packages": packages,
        "dpkg_broken": (found["packages"] or {}).get("broken"),
        "reboot": {"required": bool(reasons) or (None if order else False), "reasons": reasons},
        "blacklisted": found["blacklisted"],
        "initramfs": found["initramfs"] or {"stale": None, "reason": unread.get("initramfs")},
        "unread": unread,
    }


_NO_MODULE = {
    "on_disk": None,
    "license": None,
    "flavour": None,
    "loaded": None,
    "per_kernel": None,
    "dkms": None,
}


def _module(tree: Tree, run: RunTool) -> dict[str, Any]:
    kernels = read_kernels(tree)
    return read_module(tree, run, kernels["running"], kernels["installed"])


def _components(packages: Packages | None) -> dict[str, str | None]:
    known = packages or {}
    return {
        "fabricmanager": version_of(known, *FABRIC_MANAGER),
        "imex": version_of(known, *IMEX),
        "dcgm": version_of(known, *_DCGM),
        "container_toolkit": version_of(known, *_CONTAINER_TOOLKIT),
        "persistenced": version_of(known, *_PERSISTENCED),
    }


def _cuda(tree: Tree, packages: Packages | None) -> dict[str, Any]:
    """Return the toolkits, side by side in /usr/local or Debian's own, and the default one."""
    local = [
        match.group(1)
        for match in (re.fullmatch(r"cuda-(\d+\.\d+)", name) for name in tree.names("usr/local"))
        if match and tree.exists(f"usr/local/{match.group()}/bin/nvcc")
    ]
    debian = version_of(packages or {}, _DEBIAN_CUDA)
    # 11.8.89~11.8.0-5: the compiler's own version, whose first two numbers are the toolkit's.
    own = ".".join(debian.split(".")[:2]) if debian else None
    default = None
    if tree.exists("usr/local/cuda"):
        target = tree.real("usr/local/cuda").rpartition("/")[2]
        default = own if target == _DEBIAN_CUDA else target.partition("-")[2] or None
    elif own:
        default = own
    versions = {*local, own} if own else set(local)
    return {
        "versions": sorted((one for one in versions if one), key=version_key),
        "default": default,
    }
