"""What a training depends on: while nothing of it changes, one that passed is not repeated."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from ..hardware.pci import is_nvidia, read_gpus
from ..hardware.sysfs import ProbeError, Tree

_GPU_INFORMATION = "proc/driver/nvidia/gpus"


def fingerprint(tree: Tree, python: str, bench: str, asked: Mapping[str, Any]) -> dict[str, str]:
    """Return what must be equal for an earlier training to stand for a new one.

    Args:
        tree: the node's files.
        python: interpreter of the framework's environment, ``<environment>/bin/python``.
        bench: the packed benchmark.
        asked: the module's options that decide what is trained and judged.

    Returns:
        ``installation``, ``boot``, ``kernel``, ``driver``, ``gpus``, ``processor``, ``memory``,
        ``environment``, ``bench`` and ``asked``; empty where one of them can't be read: what is
        not known is not unchanged.
    """
    environment = python.rpartition("/bin/")[0].lstrip("/")
    known = {
        "installation": tree.text("etc/machine-id"),
        # A node that went down, in a training perhaps, has to show that it can train.
        "boot": tree.text("proc/sys/kernel/random/boot_id"),
        "kernel": tree.text("proc/sys/kernel/osrelease"),
        "driver": tree.text("proc/driver/nvidia/version") or "none",
        "gpus": _gpus(tree),
        "processor": _processor(tree.text("proc/cpuinfo") or ""),
        "memory": _field(tree.text("proc/meminfo") or "", "MemTotal"),
        # Its folder is named by the lock that it was built from; a link points to it.
        "environment": _environment(tree, environment),
        "bench": _digest(tree.data(bench.lstrip("/"))),
        "asked": json.dumps(asked, sort_keys=True),
    }
    return {name: value for name, value in known.items() if value} if all(known.values()) else {}


def _gpus(tree: Tree) -> str | None:
    """Return address and identity of each GPU: by UUID where the driver is loaded."""
    try:
        gpus = [gpu for gpu in read_gpus(tree) if is_nvidia(gpu)]
    except ProbeError:
        return None
    told = []
    for gpu in gpus:
        information = tree.text(f"{_GPU_INFORMATION}/{gpu['bdf']}/information")
        identity = gpu["device_id"] if information is None else _field(information, "GPU UUID")
        # A card of the same model, in the same slot, is another card.
        if identity is None:
            return None
        told.append(f"{gpu['bdf']} {identity}")
    return ", ".join(told) or "none"


def _processor(cpuinfo: str) -> str | None:
    threads = len(re.findall(r"^processor\s*:", cpuinfo, re.MULTILINE))
    # Arm's cpuinfo has no name of the model.
    model = _field(cpuinfo, "model name") or _field(cpuinfo, "CPU part") or "unnamed"
    return f"{threads} x {model}" if threads else None


def _environment(tree: Tree, path: str) -> str | None:
    lock = _digest(tree.data(f"{path}/requirements.txt"))
    return f"{tree.real(path)} {lock}" if lock else None


def _digest(data: bytes | None) -> str | None:
    return None if data is None else hashlib.sha256(data).hexdigest()


def _field(text: str, name: str) -> str | None:
    match = re.search(rf"^{re.escape(name)}\s*:\s*(.+?)\s*$", text, re.MULTILINE)
    return match.group(1) if match else None
