"""Which way data takes between GPUs and network devices over PCI Express."""

from __future__ import annotations

from typing import Any

from .nics import is_physical
from .pci import bridges_above, is_nvidia, numa_node, read_gpus
from .sysfs import Tree

_PCI = "sys/bus/pci/devices"
# PCI Express Base Specification, "Access Control Services Extended Capability".
_ACS = 0x000D
_CONTROL = 6
_REQUEST_REDIRECT, _COMPLETION_REDIRECT = 0x04, 0x08
# Where the extended capabilities start, and where they end; only root may read them.
_EXTENDED, _CONFIG_BYTES = 0x100, 0x1000


def read_topology(tree: Tree) -> dict[str, Any]:
    """Return the ways between GPUs and network devices, and what stands in them.

    ``paths`` go from each NVIDIA GPU to each network device, ``acs`` are the bridges above GPUs.
    ``relation`` has the words of ``nvidia-smi topo -m``: PIX (one bridge or switch at most), PXB
    (several), PHB (over a host bridge), NODE (over several in one NUMA node), SYS (to another
    NUMA node), and null where that is not known. It is told from the devices' paths in /sys, so it
    needs no driver.

    Raises:
        ProbeError: As `read_gpus`.
    """
    gpus = [gpu["bdf"] for gpu in read_gpus(tree) if is_nvidia(gpu)]
    above = {bdf: bridges_above(tree, bdf) for bdf in gpus}
    bridges = sorted({bridge for path in above.values() for bridge in path})
    return {
        "iommu_groups": len(tree.names("sys/kernel/iommu_groups")),
        "acs": [
            {
                "bdf": bridge,
                "redirects": redirects(tree.data(f"{_PCI}/{bridge}/config") or b""),
                "gpus": [gpu for gpu in gpus if bridge in above[gpu]],
            }
            for bridge in bridges
        ],
        "paths": [
            {
                "gpu": gpu,
                "device": name,
                "rdma": rdma,
                "bdf": bdf,
                "relation": _relation(tree, gpu, bdf),
            }
            for gpu in gpus
            for name, rdma, bdf in _network_devices(tree)
        ],
    }


def redirects(config: bytes) -> bool | None:
    """Return whether a bridge sends traffic between its devices up to the root, from its registers.

    False where it has no ACS, and null where the registers can't be read whole.
    """
    if len(config) < _CONFIG_BYTES:
        return None
    at, seen = _EXTENDED, set()
    while at >= _EXTENDED and at not in seen and at + 8 <= len(config):
        seen.add(at)
        header = int.from_bytes(config[at : at + 4], "little")
        if header & 0xFFFF == _ACS:
            control = int.from_bytes(config[at + _CONTROL : at + _CONTROL + 2], "little")
            return bool(control & (_REQUEST_REDIRECT | _COMPLETION_REDIRECT))
        at = header >> 20
    return False


def _network_devices(tree: Tree) -> list[tuple[str, bool, str]]:
    """Return name, whether it does RDMA, and address of the network devices on the PCI bus."""
    found: dict[str, tuple[str, bool, str]] = {}
    for name in tree.names("sys/class/infiniband"):
        bdf = tree.pci_address(f"sys/class/infiniband/{name}")
        if bdf:
            found.setdefault(bdf, (name, True, bdf))
    for name in tree.names("sys/class/net"):
        bdf = tree.pci_address(f"sys/class/net/{name}")
        if bdf and is_physical(tree, name):
            found.setdefault(bdf, (name, False, bdf))
    return sorted(found.values())


def _relation(tree: Tree, gpu: str, device: str) -> str | None:
    ours, theirs = bridges_above(tree, gpu), bridges_above(tree, device)
    shared = 0
    for one, other in zip(ours, theirs):
        if one != other:
            break
        shared += 1
    if shared:
        # Each side may have a port of the switch that they share.
        return "PIX" if max(len(ours), len(theirs)) - shared <= 1 else "PXB"
    if _host_bridge(tree, gpu) == _host_bridge(tree, device):
        return "PHB"
    nodes = numa_node(tree, f"{_PCI}/{gpu}"), numa_node(tree, f"{_PCI}/{device}")
    if None in nodes:
        return None
    return "NODE" if nodes[0] == nodes[1] else "SYS"


def _host_bridge(tree: Tree, bdf: str) -> str:
    """Return the root of a device's path: ``sys/devices/pci0000:80``."""
    return "/".join(tree.real(f"{_PCI}/{bdf}").split("/")[:3])
