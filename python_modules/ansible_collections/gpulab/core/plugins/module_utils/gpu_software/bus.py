"""NVIDIA's GPUs on the PCI bus, which decide on the software whatever is installed."""

from __future__ import annotations

from typing import Any

from ..hardware.pci import is_nvidia, read_gpus
from ..hardware.sysfs import Tree
from .chips import architecture_of


def nvidia_gpus(tree: Tree) -> list[dict[str, Any]]:
    """Return NVIDIA's display controllers on the PCI bus with their architectures, by address.

    Raises:
        ProbeError: The bus can't be read.
    """
    return [
        {
            "bdf": gpu["bdf"],
            "device_id": gpu["device_id"],
            "name": gpu["name"],
            "architecture": architecture_of(gpu["device_id"], gpu["name"]),
            "driver": gpu["driver"],
        }
        for gpu in read_gpus(tree)
        if is_nvidia(gpu)
    ]
