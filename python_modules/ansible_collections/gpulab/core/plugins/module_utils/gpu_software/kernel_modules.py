"""NVIDIA's kernel modules: on disk, in DKMS, loaded, and what keeps others away."""

from __future__ import annotations

import re
from typing import Any

from ..hardware.nvidia import parse_module_version
from ..hardware.sysfs import ProbeError, Tree
from ..hardware.tools import RunTool
from .catalogue import OPEN, PROPRIETARY

MODULES = "lib/modules"
# The main module; Debian calls it nvidia-current or nvidia-current-open, and so on. The others
# (nvidia-drm, nvidia-uvm, nvidia-modeset, nvidia-peermem, nvidia-fs) come with it.
_MAIN_MODULE = re.compile(r"nvidia(-current(-open)?|-open|-tesla-\d+|-legacy-\w+)?\.ko(\.\w+)?")
# modprobe.d(5): of files with the same name, the one in the earlier folder counts.
MODPROBE_FOLDERS = ("etc/modprobe.d", "run/modprobe.d", "usr/local/lib/modprobe.d")
MODPROBE_VENDOR_FOLDERS = ("usr/lib/modprobe.d", "lib/modprobe.d")


def read_module(tree: Tree, run: RunTool, running: str, installed: list[str]) -> dict[str, Any]:
    """Return what is on disk for each kernel, in DKMS, and loaded.

    ``on_disk``, ``license`` and ``flavour`` are of the running kernel's module. Where the running
    kernel is not installed here (a container has its host's kernel), they are of the newest kernel
    that has one.

    Raises:
        ProbeError: A module is there and modinfo or dkms can't be asked.
    """
    found = {kernel: _on_disk(tree, run, kernel) for kernel in installed}
    which = running if running in found else _newest_with_module(found)
    ours = found.get(which, {})
    return {
        "on_disk": ours.get("version"),
        "license": ours.get("license"),
        "flavour": flavour_of(ours.get("license")),
        "loaded": loaded_version(tree),
        "per_kernel": {kernel: fields.get("version") for kernel, fields in found.items()},
        "dkms": _dkms(run),
    }


def loaded_version(tree: Tree) -> str | None:
    """Return the version of the loaded module, or None: it is not loaded."""
    version, _ = parse_module_version(tree.text("proc/driver/nvidia/version") or "")
    return version or tree.text("sys/module/nvidia/version")


def flavour_of(license_name: str | None) -> str | None:
    """Return the flavour that a licence tells: ``Dual MIT/GPL`` is open, ``NVIDIA`` is not."""
    return {"Dual MIT/GPL": OPEN, "NVIDIA": PROPRIETARY}.get(license_name or "")


def module_path(modules_dep: str) -> str | None:
    """Return the path of NVIDIA's main module in a ``modules.dep``, or None."""
    for line in modules_dep.splitlines():
        path = line.partition(":")[0]
        if _MAIN_MODULE.fullmatch(path.rpartition("/")[2]):
            return path
    return None


def parse_modinfo(text: str) -> dict[str, str]:
    """Return the fields of ``modinfo``; of a repeated one, the first."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, separator, value = line.partition(":")
        if separator:
            fields.setdefault(name.strip(), value.strip())
    return fields


def parse_dkms(text: str) -> list[dict[str, str]]:
    """Return NVIDIA's entries of ``dkms status``: ``module``, ``version``, ``kernel``, ``state``.

    Reads the old form (``nvidia, 470.57.02, 5.4.0-80-generic, x86_64: installed``) and the one
    since dkms 3 (``nvidia/580.65.06, 6.8.0-45-generic, x86_64: installed``). ``kernel`` is empty
    where the module is only added. A remark behind the state (``(WARNING! Diff between …)``) stays.
    """
    entries = []
    for line in text.splitlines():
        names, separator, state = line.partition(":")
        if not separator or not names.startswith("nvidia"):
            continue
        parts = [part.strip() for part in names.replace("/", ",", 1).split(",")]
        if len(parts) < 2:
            continue
        entries.append(
            {
                "module": parts[0],
                "version": parts[1],
                "kernel": parts[2] if len(parts) > 2 else "",
                "state": state.strip(),
            }
        )
    return entries


def read_blacklist(tree: Tree) -> list[str]:
    """Return the names of the modules that modprobe.d keeps from loading, ``-`` as ``_``.

    Raises:
        ProbeError: A file is there and can't be read.
    """
    names: set[str] = set()
    for path in modprobe_files(tree):
        text = tree.text(path)
        if text is None:
            raise ProbeError(f"/{path} is not readable")
        names |= parse_blacklist(text)
    return sorted(names)


def modprobe_files(tree: Tree) -> list[str]:
    """Return the files that modprobe reads, by path."""
    chosen: dict[str, str] = {}
    for folder in (*MODPROBE_FOLDERS, *MODPROBE_VENDOR_FOLDERS):
        for name in tree.names(folder):
            if name.endswith(".conf"):
                chosen.setdefault(name, f"{folder}/{name}")
    return sorted(chosen.values())


def parse_blacklist(text: str) -> set[str]:
    """Return the modules that the lines of a modprobe.d file keep from loading."""
    found = set()
    for line in text.splitlines():
        words = line.split()
        blacklisted = len(words) == 2 and words[0] == "blacklist"
        disabled = words[:1] == ["install"] and words[2:] in (["/bin/false"], ["/bin/true"])
        if blacklisted or disabled:
            found.add(words[1].replace("-", "_"))
    return found


def _on_disk(tree: Tree, run: RunTool, kernel: str) -> dict[str, str]:
    """Return modinfo's fields of a kernel's module; empty where it has none."""
    path = module_path(tree.text(f"{MODULES}/{kernel}/modules.dep") or "")
    if path is None:
        return {}
    answer = run(("modinfo", f"/{MODULES}/{kernel}/{path}"))
    if answer.rc:
        raise ProbeError(f"modinfo: {answer.complaint}")
    return parse_modinfo(answer.stdout)


def _newest_with_module(found: dict[str, dict[str, str]]) -> str:
    return next((kernel for kernel in reversed(list(found)) if found[kernel]), "")


def _dkms(run: RunTool) -> list[dict[str, str]]:
    answer = run(("dkms", "status"))
    if answer.missing:
        return []
    if answer.rc:
        raise ProbeError(f"dkms: {answer.complaint}")
    return parse_dkms(answer.stdout)
