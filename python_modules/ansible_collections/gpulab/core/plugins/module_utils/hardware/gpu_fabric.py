"""What lets GPUs reach each other and network cards: NVSwitches, fabric manager, peer memory."""

from __future__ import annotations

import re
from typing import Any

from .nvidia import parse_module_version
from .pci import count_nvswitches, is_nvidia, read_gpus
from .sysfs import Tree
from .tools import RunTool

FABRIC_MANAGER = "nvidia-fabricmanager.service"
_STATES = ("active", "activating", "reloading", "deactivating", "inactive", "failed", "unknown")
# NVIDIA's own module, and the one that came with Mellanox' drivers before it.
_PEER_MODULES = ("nvidia_peermem", "nv_peer_mem")
# What GPUDirect RDMA by dma-buf needs beside the open kernel modules (NVIDIA, "GPUDirect RDMA").
_DMA_BUF_KERNEL = (5, 12)


def read_gpu_fabric(tree: Tree, run: RunTool) -> dict[str, Any]:
    """Return the section ``gpu_fabric`` of the hardware facts.

    ``fabric_manager`` is systemd's word for the state of its service, null where systemd can't be
    asked; ``reason`` then says why. Without an NVIDIA GPU systemd is not asked.

    Raises:
        ProbeError: The PCI bus can't be read.
    """
    state, reason = None, ""
    if any(is_nvidia(gpu) for gpu in read_gpus(tree)):
        answer = run(("systemctl", "is-active", FABRIC_MANAGER))
        said = answer.stdout.strip()
        if said in _STATES:
            state = said
        else:
            reason = f"systemctl: {answer.complaint}"
    return {
        "nvswitches": count_nvswitches(tree),
        "fabric_manager": state,
        "reason": reason,
        "peer_modules": [name for name in _PEER_MODULES if tree.exists(f"sys/module/{name}")],
        "dma_buf": _has_dma_buf(tree),
    }


def _has_dma_buf(tree: Tree) -> bool | None:
    """Return whether kernel and driver can share GPU memory as dma-buf; None if not known."""
    _, flavour = parse_module_version(tree.text("proc/driver/nvidia/version") or "")
    release = re.match(r"(\d{1,3})\.(\d{1,3})", tree.text("proc/sys/kernel/osrelease") or "")
    if flavour is None or release is None:
        return None
    kernel = (int(release.group(1)), int(release.group(2)))
    return flavour == "open" and kernel >= _DMA_BUF_KERNEL
