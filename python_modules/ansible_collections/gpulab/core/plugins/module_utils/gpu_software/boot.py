"""What the next boot depends on: kernels, Secure Boot, the initramfs, and whether one is due.

How kernels are named is in `kernel_names`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..hardware.osinfo import read_kernel, read_os
from ..hardware.sysfs import ProbeError, Tree
from ..hardware.tools import RunTool
from .kernel_modules import MODULES, modprobe_files
from .kernel_names import has_order, kernel_flavour, kernel_key

_EFI = "sys/firmware/efi"
# UEFI specification, "Globally defined variables": EFI_GLOBAL_VARIABLE. efivarfs puts four bytes
# of attributes before the value.
_SECURE_BOOT = f"{_EFI}/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
_ATTRIBUTES = 4
_REBOOT_REQUIRED = "run/reboot-required"
# Name of a PCI driver in /sys -> its module's, as modprobe.d has it. Nova's two differ: the
# kernel's drivers/gpu/nova-core/nova_core.rs calls the driver NovaCore (read 2026-12-01).
FOREIGN_DRIVERS = {
    "nouveau": "nouveau",
    "NovaCore": "nova_core",
    "nova_core": "nova_core",
    "nova_drm": "nova_drm",
}
# NVIDIA's own, and those that hand the card to a virtual machine (drivers/vfio/pci/; the second is
# for Grace Hopper). Whatever else has a GPU keeps NVIDIA's driver off it.
_WANTED_DRIVERS = frozenset({"nvidia", "vfio-pci", "nvgrace-gpu-vfio-pci"})


def read_kernels(tree: Tree) -> dict[str, Any]:
    """Return ``running``, ``headers`` (for it), ``installed`` (oldest first) and ``in_container``.

    Raises:
        ProbeError: /proc or os-release can't be read.
    """
    running = read_kernel(tree)["release"]
    return {
        "running": running,
        "headers": tree.exists(f"{MODULES}/{running}/build"),
        "installed": sorted(tree.names(MODULES), key=kernel_key),
        "in_container": read_os(tree)["virtualization"] == "container",
    }


def _may_boot(tree: Tree, kernel: str) -> bool:
    """Modules of a removed kernel may stay; without its image it never boots."""
    return tree.exists(f"boot/vmlinuz-{kernel}") or tree.exists(f"{MODULES}/{kernel}/vmlinuz")


def newer_kernel(tree: Tree, running: str, installed: Sequence[str]) -> str:
    """Return the newest kernel of the running one's kind that would boot instead; "" for none.

    It says nothing of those whose order is unknown: see `unknown_order`.
    """
    flavour = kernel_flavour(running)
    newer = [
        kernel
        for kernel in installed
        if flavour
        and kernel_flavour(kernel) == flavour
        and kernel_key(kernel) > kernel_key(running)
        and _may_boot(tree, kernel)
    ]
    return max(newer, key=kernel_key, default="")


def read_secure_boot(tree: Tree, run: RunTool) -> tuple[str, str]:
    """Return ``on`` or ``off``, and how that is known.

    Raises:
        ProbeError: Neither mokutil nor the firmware's variable tells.
    """
    answer = run(("mokutil", "--sb-state"))
    state = parse_sb_state(answer.stdout)
    if state:
        return state, "mokutil --sb-state"
    variable = tree.data(_SECURE_BOOT)
    if variable is not None and len(variable) > _ATTRIBUTES:
        return ("on" if variable[_ATTRIBUTES] else "off"), f"/{_SECURE_BOOT}"
    # A container may hide all of /sys/firmware, and then nothing there says nothing.
    if tree.names("sys/firmware") and not tree.exists(_EFI):
        return "off", "not booted by UEFI: there is no /sys/firmware/efi"
    said = "not installed" if answer.missing else answer.complaint
    raise ProbeError(f"mokutil: {said}; /{_SECURE_BOOT} is not readable")


def parse_sb_state(text: str) -> str:
    """Return ``on`` or ``off`` of ``mokutil --sb-state``; "" where it does not say.

    With validation disabled in shim the kernel loads unsigned modules: that is off.
    """
    if re.search(r"^SecureBoot disabled", text, re.MULTILINE):
        return "off"
    if re.search(r"^SecureBoot enabled", text, re.MULTILINE):
        return "off" if "validation is disabled in shim" in text else "on"
    return "off" if "doesn't support Secure Boot" in text else ""


def read_initramfs(tree: Tree, running: str) -> dict[str, Any]:
    """Return ``stale`` and ``reason`` of the running kernel's initramfs.

    It is stale where a file of modprobe.d about NVIDIA's or nouveau's modules changed later.

    Raises:
        ProbeError: There is no initramfs of the running kernel.
    """
    images = (f"boot/initrd.img-{running}", f"boot/initramfs-{running}.img")
    image = next((path for path in images if tree.exists(path)), None)
    built = tree.changed(image) if image else None
    if image is None or built is None:
        raise ProbeError(f"there is no initramfs of the running kernel ({running}) in /boot")
    newer = [
        path
        for path in modprobe_files(tree)
        if (tree.changed(path) or 0) > built and _must_contain(tree.text(path) or "")
    ]
    if newer:
        return {"stale": True, "reason": f"/{newer[0]} changed after /{image} was built"}
    return {"stale": False, "reason": ""}


def _must_contain(text: str) -> bool:
    return any(name in text.replace("-", "_") for name in (*FOREIGN_DRIVERS.values(), "nvidia"))


def reboot_reasons(
    tree: Tree,
    kernel: Mapping[str, Any],
    module: Mapping[str, Any],
    gpus: Sequence[Mapping[str, Any]],
    blacklisted: Sequence[str],
) -> list[str]:
    """Return why this machine must be rebooted before its GPU software is as installed.

    Args:
        tree: the node's files.
        kernel: as `read_kernels` returns it, or empty.
        module: as `kernel_modules.read_module` returns it, or empty.
        gpus: the NVIDIA GPUs with their bound drivers.
        blacklisted: module names of modprobe.d.
    """
    reasons = []
    if tree.exists(_REBOOT_REQUIRED):
        packages = sorted(set((tree.text(f"{_REBOOT_REQUIRED}.pkgs") or "").split()))
        asked = f" (asked for by {', '.join(packages)})" if packages else ""
        reasons.append(f"/{_REBOOT_REQUIRED} is there{asked}")
    # A container runs its host's kernel, whatever lies in its own /boot.
    if kernel and not kernel["in_container"]:
        newer = newer_kernel(tree, kernel["running"], kernel["installed"])
        if newer:
            reasons.append(f"kernel {kernel['running']} runs, and {newer} is installed")
    loaded, on_disk = module.get("loaded"), module.get("on_disk")
    if loaded and on_disk and loaded != on_disk:
        reasons.append(f"the loaded NVIDIA module is {loaded}, the one on disk is {on_disk}")
    reasons += [_foreign(gpu, blacklisted) for gpu in gpus]
    return [reason for reason in reasons if reason]


def unknown_order(tree: Tree, kernel: Mapping[str, Any]) -> str:
    """Say why nobody can tell which kernel boots next, or return "".

    Args:
        tree: the node's files.
        kernel: as `read_kernels` returns it, or empty.
    """
    if not kernel or kernel["in_container"]:
        return ""
    running = kernel["running"]
    others = [
        other
        for other in kernel["installed"]
        if not has_order(running, other) and _may_boot(tree, other)
    ]
    return (
        f"kernel {running} runs, and whether {', '.join(others)} is newer can't be told: a name of "
        "an unknown form is among them"
        if others
        else ""
    )


def _foreign(gpu: Mapping[str, Any], blacklisted: Sequence[str]) -> str:
    """Say why a GPU waits for a reboot by its driver, or return "".

    One that the kernel brings binds again at the next boot, as long as it is not blacklisted.
    """
    driver = gpu["driver"]
    if driver is None or driver in _WANTED_DRIVERS:
        return ""
    bound = f"GPU {gpu['bdf']} is bound to {driver}"
    if driver not in FOREIGN_DRIVERS:
        return f"{bound}, which is not NVIDIA's driver: release the GPU from it"
    return f"{bound}, which is blacklisted by now" if FOREIGN_DRIVERS[driver] in blacklisted else ""
