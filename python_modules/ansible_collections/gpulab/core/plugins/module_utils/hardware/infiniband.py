"""Ports of the RDMA devices: InfiniBand, and Ethernet that carries RoCE."""

from __future__ import annotations

import re
from typing import Any

from .pci import numa_node, slot_of
from .sysfs import ProbeError, Tree

_DEVICES = "sys/class/infiniband"
# Kernel, Documentation/ABI/stable/sysfs-class-infiniband.
_ERRORS = (
    "symbol_error",
    "link_error_recovery",
    "link_downed",
    "port_rcv_errors",
    "port_rcv_remote_physical_errors",
    "local_link_integrity_errors",
    "excessive_buffer_overrun_errors",
)


def read_infiniband(tree: Tree) -> list[dict[str, Any]]:
    """Return every port, sorted by device and number; empty without such a device.

    Raises:
        ProbeError: There is no /sys/class.
    """
    if not tree.exists("sys/class"):
        raise ProbeError("/sys/class is not readable")
    return [
        _port(tree, device, port)
        for device in tree.names(_DEVICES)
        for port in tree.names(f"{_DEVICES}/{device}/ports")
    ]


def _port(tree: Tree, device: str, port: str) -> dict[str, Any]:
    path = f"{_DEVICES}/{device}/ports/{port}"
    bdf = tree.pci_address(f"{_DEVICES}/{device}")
    return {
        "device": device,
        "port": port,
        "state": state_name(tree.text(f"{path}/state")),
        "physical_state": state_name(tree.text(f"{path}/phys_state")),
        "rate_gbps": parse_rate(tree.text(f"{path}/rate")),
        "link_layer": tree.text(f"{path}/link_layer") or None,
        "guid": tree.text(f"{_DEVICES}/{device}/node_guid") or None,
        "firmware": tree.text(f"{_DEVICES}/{device}/fw_ver") or None,
        # "N/A" where a counter is not there, since kernel 5.19: null.
        "errors": {name: tree.number(f"{path}/counters/{name}") for name in _ERRORS},
        "hw_counters": {
            name: tree.number(f"{path}/hw_counters/{name}")
            for name in tree.names(f"{path}/hw_counters")
            if name != "lifespan"
        },
        "bdf": bdf,
        "slot": slot_of(tree, bdf),
        "numa_node": numa_node(tree, f"{_DEVICES}/{device}/device"),
    }


def state_name(text: str | None) -> str | None:
    """Return ``ACTIVE`` from ``4: ACTIVE``; None if it is no such line."""
    match = re.fullmatch(r"\d{1,2}: (\w+)", text or "", re.ASCII)
    return match.group(1) if match else None


def parse_rate(text: str | None) -> float | None:
    """Return the Gb/s in ``200 Gb/sec (4X HDR)`` or ``2.5 Gb/sec (1X SDR)``."""
    match = re.match(r"(\d{1,5}(?:\.\d{1,3})?) Gb/sec", text or "", re.ASCII)
    return float(match.group(1)) if match else None
