"""Decide about a node's driver: what is to be done, what forbids it, what is wrong. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from .driver_faults import faults
from .driver_node import Node, Platform, Request, parse_look
from .driver_packages import KERNEL_META, choose_packages
from .driver_refusals import refusals, replaced
from .fabric import fabric_modules

#: Keys of ``node_gpu`` that are set on the GPUs themselves, at each boot.
_SET_AT_BOOT = ("power_limit_w", "clocks_mhz", "ecc", "mig")


def driver_state(
    nvidia: Mapping[str, Any],
    *,
    before: Mapping[str, Any],
    look: Sequence[str],
    in_container: bool,
    bootable: Sequence[str],
    plan: Mapping[str, Any],
    platform: Mapping[str, Any],
    settings: Mapping[str, Any],
    kept_off: Sequence[str],
    settings_unit: str,
    upgrade: bool = False,
    pinned: str = "",
) -> dict[str, Any]:
    """Return what the role ``nvidia_driver`` acts on.

    Args:
        nvidia: what ``gpulab.core.nvidia_info`` returns as ``nvidia``, by now.
        before: the same, before this run changed anything.
        look: the lines of the role's look: see `Node.listed`.
        in_container: whether the node's kernel is its host's.
        bootable: the kernels that may run next.
        plan: what `resolve.make_plan` returns for the node.
        platform: the fields of `Platform`.
        settings: ``node_gpu``.
        kept_off: the kernel modules that must not bind the GPUs.
        settings_unit: the unit that sets the GPUs at boot.
        upgrade: whether the branch's newest is to take the place of what is there.
        pinned: the version that apt was pinned to in this run, "" for none.

    Returns:
        The package names of `DriverPackages`; ``dkms``, whether modules are built on the node;
        ``persistence_command``, what the persistence daemon's unit is to start, "" for its own;
        ``headers_missing`` and ``tools_missing``, packages that the build and the role need;
        ``unbuilt``, the kernels that may boot and have no module; ``work``, whether anything is to
        be installed, and ``changes``, whether what is there makes room or goes to another version;
        ``refusals``, ``replaced`` and ``faults``, each a list of sentences; ``modules``,
        ``daemons`` and ``has_settings``, what goes with ``node_gpu``; ``services_off``, the
        services that do not start at boot and should; ``enabled``, the units that do.
    """
    node = Node(nvidia, before, parse_look(look), in_container, bootable)
    names = Platform(**platform)
    request = Request(settings, upgrade, pinned)
    packages = choose_packages(node, plan, names, request)
    dkms = names.distribution != "Ubuntu" or plan["source"] == "nvidia"
    unbuilt = _unbuilt(node)
    headers_missing = _headers_missing(node, names) if dkms else []
    changes = bool(upgrade or packages.wrong_version or packages.other_flavour)
    in_the_way = packages.missing or packages.other_pinning or headers_missing or unbuilt
    broken = nvidia["dpkg_broken"] or nvidia["module"]["on_disk"] is None
    return {
        **vars(packages),
        "held": packages.held,
        "dkms": dkms,
        "headers_missing": headers_missing,
        "persistence_command": _persistence_command(node, settings),
        "tools_missing": [name for name, state in node.listed.items() if state == "tool"],
        "unbuilt": unbuilt,
        "changes": changes,
        "work": bool(changes or in_the_way or broken),
        "refusals": refusals(node, plan, names, request, dkms=dkms),
        "replaced": replaced(node, plan, packages),
        "faults": faults(
            nvidia, plan, unbuilt=unbuilt, unheld=packages.unheld, kept_off=kept_off, dkms=dkms
        ),
        **_services(node, plan, settings, settings_unit),
    }


def _persistence_command(node: Node, settings: Mapping[str, Any]) -> str:
    """What starts the persistence daemon with persistence mode on; "" where its unit does already.

    Ubuntu's unit, Canonical's and NVIDIA's, starts it with ``--no-persistence-mode``.
    """
    if not settings.get("persistence", True):
        return ""
    commands = (command for command, state in node.listed.items() if state == "persistence-off")
    words = next(commands, "").split()
    return " ".join(word for word in words if word != "--no-persistence-mode")


def _unbuilt(node: Node) -> list[str]:
    """The kernels that may boot and have no module, though its packages are there."""
    built = node.nvidia["module"]["per_kernel"] or {}
    return [kernel for kernel, version in built.items() if kernel in node.bootable and not version]


def _headers_missing(node: Node, platform: Platform) -> list[str]:
    """Headers of each kernel that may boot, and on Debian and Ubuntu what brings those to come.

    (dnf upgrades kernel-devel with the kernels.)
    In a container the kernel is the host's, and those of the distribution show that modules build.
    """
    wanted = [_headers(platform.headers_prefix, kernel) for kernel in node.bootable]
    if node.bootable:
        metas = filter(KERNEL_META.match, node.listed)
        wanted += [meta.replace("linux-image-", "linux-headers-", 1) for meta in metas]
    return [name for name in wanted or platform.headers_without_kernel if name not in node.listed]


def _headers(prefix: str, kernel: str) -> str:
    """Name a kernel's headers; EL has kernel-64k-devel for ``…aarch64+64k``."""
    release, _, variant = kernel.partition("+")
    if variant and prefix == "kernel-devel-":
        return f"kernel-{variant}-devel-{release}"
    return prefix + kernel


def _services(
    node: Node, plan: Mapping[str, Any], settings: Mapping[str, Any], settings_unit: str
) -> dict[str, Any]:
    has_settings = any(key in settings for key in _SET_AT_BOOT)
    daemons = [
        *(["nvidia-persistenced"] if boolean(settings.get("persistence", True)) else []),
        *(["nvidia-fabricmanager"] if plan["fabricmanager"] else []),
        *(["nvidia-imex"] if plan["imex"] else []),
    ]
    wanted = [f"{name}.service" for name in [*daemons, *([settings_unit] if has_settings else [])]]
    enabled = [name for name, state in node.listed.items() if state == "enabled"]
    return {
        "modules": [
            *fabric_modules(plan),
            *(["nvidia_peermem"] if boolean(settings.get("gpudirect", False)) else []),
            *(["nvidia_fs"] if settings.get("gds") else []),
        ],
        "daemons": daemons,
        "has_settings": has_settings,
        "enabled": enabled,
        "services_off": [name for name in wanted if name not in enabled],
    }
