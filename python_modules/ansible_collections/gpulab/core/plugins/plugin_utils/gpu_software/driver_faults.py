"""What is wrong with a driver as it is on a node's disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .driver_refusals import unread

UPGRADE = "playbooks/gpu_upgrade.yml"


def faults(
    nvidia: Mapping[str, Any],
    plan: Mapping[str, Any],
    *,
    unbuilt: Sequence[str],
    unheld: Sequence[str],
    kept_off: Sequence[str],
    dkms: bool = True,
) -> list[str]:
    """Say what is not as planned, each with what to do about it.

    Args:
        nvidia: what ``gpulab.core.nvidia_info`` returns as ``nvidia``.
        plan: what `resolve.make_plan` returns for the node.
        unbuilt: the kernels that may boot and have no module.
        unheld: the packages of the driver that an upgrade would change.
        kept_off: the kernel modules that must not bind the GPUs.
        dkms: whether the modules are built on the node.
    """
    not_read = unread(nvidia)
    not_kept_off = [name for name in kept_off if name not in (nvidia["blacklisted"] or ())]
    lines = [*not_read, *_module(nvidia, plan, known=not not_read)]
    if not nvidia["userspace"]:
        lines.append("NVML is missing: no libnvidia-ml is installed, though its package is")
    lines += [*_versions_apart(nvidia), *_dkms(nvidia)]
    if unbuilt:
        lines.append(_no_module(unbuilt, dkms=dkms))
    if unheld:
        lines.append(f"not held: {', '.join(unheld)}")
    if not_kept_off:
        lines.append(f"not kept off by modprobe.d: {', '.join(not_kept_off)}")
    if nvidia["initramfs"]["stale"]:
        lines.append(f"the initramfs is stale: {nvidia['initramfs']['reason']}")
    return lines


def _no_module(kernels: Sequence[str], *, dkms: bool) -> str:
    names = ", ".join(kernels)
    if dkms:
        return (
            f"no module is built for kernel {names}, which may boot next: install its headers and "
            "run again"
        )
    return (
        f"no signed module is installed for kernel {names}, which may boot next: run again, which "
        "installs linux-modules-nvidia-… for it; where Canonical has none for that kernel, remove "
        "the kernel"
    )


def _module(nvidia: Mapping[str, Any], plan: Mapping[str, Any], *, known: bool) -> list[str]:
    module = nvidia["module"]
    on_disk, branch = module["on_disk"], plan["branch"]
    if not on_disk and not known:
        return []
    if not on_disk:
        missing = (
            f"no kernel module of NVIDIA is on disk for {nvidia['kernel']['running']}: see `dkms "
            "status` and /var/lib/dkms/nvidia*/*/build/make.log, then run again"
        )
        return [missing]
    lines = []
    if module["flavour"] != plan["flavour"]:
        lines.append(
            f"the module on disk has the {module['flavour']} flavour (licence "
            f"{module['license']}), and this machine needs {plan['flavour']} "
            f"({plan['flavour_why']}): remove what no package brought, such as a .run file"
        )
    if not on_disk.startswith(f"{branch}."):
        lines.append(f"the module on disk is {on_disk}, and the branch is {branch}: run {UPGRADE}")
    return lines


def _versions_apart(nvidia: Mapping[str, Any]) -> list[str]:
    on_disk = nvidia["module"]["on_disk"]
    others = {
        "fabric manager": nvidia["fabricmanager"],
        "nvidia-imex": nvidia.get("imex"),
        "libnvidia-ml": nvidia["userspace"],
    }
    apart = [
        f"{name} is {version}" for name, version in others.items() if version not in (None, on_disk)
    ]
    if not on_disk or not apart:
        return []
    told = (
        f"{', '.join(apart)}, and the module on disk is {on_disk}: they work in one version alone. "
        f"Run {UPGRADE} with -e nvidia_driver_version={on_disk}, and remove what no package brought"
    )
    return [told]


def _dkms(nvidia: Mapping[str, Any]) -> list[str]:
    entries = nvidia["module"]["dkms"] or ()
    off = [entry for entry in entries if not entry["state"].startswith("installed")]
    if not off:
        return []
    modules = ", ".join(dict.fromkeys(entry["module"] for entry in off))
    states = ", ".join(dict.fromkeys(entry["state"] for entry in off))
    return [f"DKMS says of {modules}: {states}; run `dkms autoinstall` and read its log"]
