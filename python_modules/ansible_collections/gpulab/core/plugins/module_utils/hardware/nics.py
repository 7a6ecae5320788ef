"""Network interfaces: which are hardware, their link and speed."""

from __future__ import annotations

import re
from typing import Any

from .pci import numa_node, slot_of
from .sysfs import ProbeError, Tree

_NET = "sys/class/net"
# ARPHRD_LOOPBACK in the kernel's if_arp.h.
_LOOPBACK = 772


def read_nics(tree: Tree) -> list[dict[str, Any]]:
    """Return every interface but the loopback, sorted by name.

    ``physical`` tells hardware from bridges, bonds, VLANs, container ends and SR-IOV virtual
    functions. ``link`` is up, down or unknown. ``speed_mbps`` is null where there is no number to
    trust: without a link, on hypervisors that do not tell, and on what is no hardware.
    ``switch_port`` is filled in by `places.join`.

    Raises:
        ProbeError: There is no /sys/class/net.
    """
    if not tree.exists(_NET):
        raise ProbeError(f"/{_NET} is not readable")
    return [
        _read_nic(tree, name)
        for name in tree.names(_NET)
        # Some drivers put plain files (bonding_masters) beside the interfaces.
        if tree.exists(f"{_NET}/{name}/flags") and tree.number(f"{_NET}/{name}/type") != _LOOPBACK
    ]


def _read_nic(tree: Tree, name: str) -> dict[str, Any]:
    path = f"{_NET}/{name}"
    physical = is_physical(tree, name)
    # What a bridge or a container's end tells is a constant of its driver; a bond's is a sum.
    tells = physical or tree.exists(f"{path}/bonding")
    speed = tree.number(f"{path}/speed") if tells else None
    bdf = tree.pci_address(path)
    # In a bond all members show the bond's address; the card's own stands beside it.
    mac = tree.text(f"{path}/bonding_slave/perm_hwaddr") or tree.text(f"{path}/address")
    return {
        "name": name,
        "physical": physical,
        "link": _link(tree, path),
        "speed_mbps": speed if speed is not None and speed > 0 else None,
        "mac": mac or None,
        "mtu": tree.number(f"{path}/mtu"),
        "driver": tree.link_name(f"{path}/device/driver"),
        "bus": _bus(tree.real(path), bdf),
        "bdf": bdf,
        "slot": slot_of(tree, bdf),
        "switch_port": None,
        "numa_node": numa_node(tree, f"{path}/device"),
    }


def is_physical(tree: Tree, name: str) -> bool:
    """Return whether an interface is hardware, and not one of a card's virtual functions."""
    path = f"{_NET}/{name}"
    return (
        "/virtual/" not in tree.real(path)
        and tree.exists(f"{path}/device")
        and not tree.exists(f"{path}/device/physfn")
    )


def _bus(real: str, bdf: str | None) -> str | None:
    """Return usb, virtio, pci, or None for what hangs off nothing that these name."""
    for bus in ("usb", "virtio"):
        if re.search(rf"/{bus}\d+/", real):
            return bus
    return "pci" if bdf else None


def _link(tree: Tree, path: str) -> str:
    carrier = tree.text(f"{path}/carrier")
    if carrier in ("0", "1"):
        return "up" if carrier == "1" else "down"
    # An interface that is switched off answers EINVAL for its carrier.
    flags: int | None = tree.number(f"{path}/flags")
    if flags is not None and not flags & 1:
        return "down"
    return "unknown"
