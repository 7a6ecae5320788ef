"""A node with a driver that is as planned, and how a test makes it another one."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpulab.core.plugins.plugin_utils.gpu_software.driver_state import (
    driver_state,
)

V, LATER = "580.95.05", "580.105.08"
KERNEL, NEWER = "6.8.0-85-generic", "6.8.0-99-generic"
UBUNTU: dict[str, Any] = {
    "distribution": "Ubuntu",
    "manager": "apt",
    "sets": {
        "nvidia": {
            "open": ["nvidia-open"],
            "proprietary": ["cuda-drivers"],
            "same": [],
            "other": ["nvidia-driver-pinning-580"],
            "fabricmanager": ["nvidia-fabricmanager"],
            "gds": ["nvidia-fs"],
        },
        "distribution": {
            "open": ["nvidia-headless-no-dkms-580-server-open"],
            "proprietary": ["nvidia-headless-no-dkms-580-server"],
            "same": ["nvidia-utils-580-server"],
            "other": [],
            "per_kernel": ["linux-modules-nvidia-580-server-open-"],
            "fabricmanager": [],
            "gds": [],
        },
    },
    "module_packages": r"nvidia-dkms|linux-modules-nvidia-",
    "own_module_packages": {
        "nvidia": r"nvidia-dkms(-[0-9]+)?-open$",
        "distribution": r"linux-modules-nvidia-[0-9]+-server-open-",
    },
    "headers_prefix": "linux-headers-",
    "headers_without_kernel": ["linux-headers-generic"],
    "mok_advice": "dkms generate_mok; mokutil --import mok.pub",
}
ROCKY: dict[str, Any] = {
    **UBUNTU,
    "distribution": "Rocky",
    "manager": "dnf",
    "sets": {
        "nvidia": {
            "open": ["nvidia-open"],
            "proprietary": ["cuda-drivers"],
            "same": [],
            "other": [],
            "fabricmanager": ["nvidia-fabricmanager"],
            "gds": ["nvidia-fs"],
        }
    },
    "module_packages": "kmod-nvidia-",
    "own_module_packages": {"nvidia": "kmod-nvidia-open-dkms$"},
    "headers_prefix": "kernel-devel-",
}
PLAN: dict[str, Any] = {
    "flavour": "open",
    "flavour_why": "every GPU is Turing or later",
    "branch": "580",
    "version": "",
    "source": "nvidia",
    "fabricmanager": False,
    "nvlsm": False,
    "imex": False,
    "problems": [],
}


def held(version: str = V) -> dict[str, Any]:
    return {"version": f"{version}-0ubuntu1", "held": True}


MODULE: dict[str, Any] = {
    "on_disk": V,
    "license": "Dual MIT/GPL",
    "flavour": "open",
    "loaded": V,
    "per_kernel": {KERNEL: V},
    "dkms": [{"module": "nvidia", "version": V, "kernel": KERNEL, "state": "installed"}],
}
NVIDIA: dict[str, Any] = {
    "kernel": {"running": KERNEL, "installed": [KERNEL], "in_container": False},
    "secure_boot": "off",
    "module": MODULE,
    "userspace": V,
    "fabricmanager": None,
    "packages": {
        "nvidia-open": held(),
        "nvidia-dkms-580-open": held(),
        "libnvidia-compute-580": held(),
        "nvidia-driver-pinning-580": held("580"),
        # Of other roles.
        "cuda-toolkit-13-0": {"version": "13.0.1-1", "held": False},
        "nvidia-container-toolkit": {"version": "1.20.1-1", "held": False},
    },
    "dpkg_broken": [],
    "blacklisted": ["nouveau", "nova_core", "nova_drm"],
    "initramfs": {"stale": False, "reason": ""},
    "unread": {},
}
LOOK = [
    f"free linux-image-{KERNEL}",
    f"free linux-headers-{KERNEL}",
    "held libnvidia-compute-580",
    "enabled nvidia-persistenced.service",
]


def node(*, module: dict[str, Any] | None = None, **changed: Any) -> dict[str, Any]:
    """The node of `NVIDIA`, with some keys changed; those of its module by themselves."""
    return {**NVIDIA, "module": {**MODULE, **(module or {})}, **changed}


def packages(**changed: dict[str, Any] | None) -> dict[str, Any]:
    """The node's packages with some changed (``_`` for ``-``), or gone: None."""
    named = {name.replace("_", "-"): package for name, package in changed.items()}
    return {name: one for name, one in {**NVIDIA["packages"], **named}.items() if one}


def decide(nvidia: dict[str, Any] = NVIDIA, **changed: Any) -> dict[str, Any]:
    """Decide about a node; ``plan`` and ``platform`` are changed key by key."""
    plan = {**PLAN, **changed.pop("plan", {})}
    platform = changed.pop("platform", UBUNTU)
    asked: dict[str, Any] = {
        "before": nvidia,
        "look": LOOK,
        "in_container": False,
        "bootable": [KERNEL],
        "settings": {},
        "kept_off": ["nouveau", "nova_core", "nova_drm"],
        "settings_unit": "gpulab-gpu-settings",
    }
    return driver_state(nvidia, plan=plan, platform=platform, **{**asked, **changed})
