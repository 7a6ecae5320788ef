"""Display controllers on the PCI bus, whatever their driver says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .gpu_names import NVIDIA_NAMES, VENDORS
from .sysfs import ProbeError, Tree

_DEVICES = "sys/bus/pci/devices"
_SLOTS = "sys/bus/pci/slots"
_ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
NVIDIA = "0x10de"
# PCI Code and ID Assignment Specification: base class 03h, display controller; 06h 80h, other
# bridge device, which is how NVSwitches show.
_DISPLAY = 0x03
_OTHER_BRIDGE = 0x0680


def read_gpus(tree: Tree) -> list[dict[str, Any]]:
    """Return every display controller, sorted by address. A node without PCI has none.

    Raises:
        ProbeError: A device's class can't be read, so the count could be wrong; or there is no
            /sys.
    """
    return [
        _read_gpu(tree, bdf, device_class)
        for bdf, device_class in _classes(tree)
        if device_class >> 16 == _DISPLAY
    ]


def count_nvswitches(tree: Tree) -> int:
    """Return how many NVSwitches the bus shows.

    Raises:
        ProbeError: As `read_gpus`.
    """
    return sum(
        device_class >> 8 == _OTHER_BRIDGE and tree.text(f"{_DEVICES}/{bdf}/vendor") == NVIDIA
        for bdf, device_class in _classes(tree)
    )


def _classes(tree: Tree) -> Iterator[tuple[str, int]]:
    """Give every device's address and class; raises ProbeError where one can't be read."""
    if not tree.exists("sys/bus"):
        raise ProbeError("/sys/bus is not readable")
    for bdf in tree.names(_DEVICES):
        device_class = tree.number(f"{_DEVICES}/{bdf}/class")
        if device_class is None:
            raise ProbeError(f"/{_DEVICES}/{bdf}/class is not readable")
        yield bdf, device_class


def devices(tree: Tree) -> list[str]:
    """Return the addresses of all functions on the bus, sorted."""
    return tree.names(_DEVICES)


def bridges_above(tree: Tree, bdf: str) -> list[str]:
    """Return the addresses of the bridges between a function and its host bridge, outermost first.

    The real path of a device in sysfs is the path that the bus takes to it.
    """
    found = _ADDRESS.findall(tree.real(f"{_DEVICES}/{bdf}").lower())
    return [address for address in found if address != bdf]


def is_nvidia(gpu: dict[str, Any]) -> bool:
    """Return whether a display controller is NVIDIA's."""
    return bool(gpu.get("vendor_id") == NVIDIA)


def _read_gpu(tree: Tree, bdf: str, device_class: int) -> dict[str, Any]:
    path = f"{_DEVICES}/{bdf}"
    vendor_id, device_id = tree.text(f"{path}/vendor"), tree.text(f"{path}/device")
    name = NVIDIA_NAMES.get(device_id or "") if vendor_id == NVIDIA else None
    return {
        "bdf": bdf,
        "slot": slot_of(tree, bdf),
        "class": f"0x{device_class >> 8:04x}",
        "vendor_id": vendor_id,
        "vendor": VENDORS.get(vendor_id or ""),
        "device_id": device_id,
        "name": name,
        "driver": tree.link_name(f"{path}/driver"),
        "numa_node": numa_node(tree, path),
        "link": {
            "width": tree.number(f"{path}/current_link_width"),
            "width_max": tree.number(f"{path}/max_link_width"),
            "gt_per_s": _link_speed(tree.text(f"{path}/current_link_speed")),
            "gt_per_s_max": _link_speed(tree.text(f"{path}/max_link_speed")),
        },
    }


def slot_of(tree: Tree, bdf: str | None) -> str | None:
    """Return the name of the physical slot that a PCI function sits in, where firmware tells."""
    if not bdf:
        return None
    device = bdf.rpartition(".")[0]
    for slot in tree.names(_SLOTS):
        if tree.text(f"{_SLOTS}/{slot}/address") == device:
            return slot
    return None


def numa_node(tree: Tree, device: str) -> int | None:
    """Return a device's NUMA node; None if the firmware does not say (the kernel's -1)."""
    node = tree.number(f"{device}/numa_node")
    return None if node is None or node < 0 else node


def _link_speed(text: str | None) -> float | None:
    """Return the GT/s in ``16.0 GT/s PCIe``; None for ``Unknown`` and the like."""
    match = re.match(r"(\d{1,4}(?:\.\d{1,3})?) GT/s", text or "", re.ASCII)
    return float(match.group(1)) if match else None
