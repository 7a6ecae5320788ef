"""Processors: architecture, sockets, physical cores, threads, NUMA nodes."""

from __future__ import annotations

import re
from typing import Any

from .sysfs import ProbeError, Tree

_CPUS = "sys/devices/system/cpu"
_NODES = "sys/devices/system/node"
# The names that the lab's declaration uses, by what the kernel may say instead.
_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}


def read_cpu(tree: Tree, machine: str) -> dict[str, Any]:
    """Return the processor facts; `machine` is the kernel's name of the architecture.

    Only processors that are online count: an offline one does no work. Cores are counted by the
    sets of threads that share one, because core numbers repeat between dies on some models.

    Raises:
        ProbeError: The kernel shows no topology.
    """
    online = parse_cpu_list(tree.text(f"{_CPUS}/online") or "")
    if not online:
        raise ProbeError(f"/{_CPUS}/online is not readable: the number of processors is unknown")
    packages: set[int | None] = set()
    cores: set[str] = set()
    for cpu in online:
        topology = f"{_CPUS}/cpu{cpu}/topology"
        siblings = tree.text(f"{topology}/thread_siblings_list")
        if not siblings:
            raise ProbeError(f"/{topology}/thread_siblings_list is not readable")
        cores.add(siblings)
        packages.add(tree.number(f"{topology}/physical_package_id"))
    cpuinfo = tree.text("proc/cpuinfo") or ""
    return {
        "architecture": _ARCHITECTURES.get(machine, machine),
        "vendor": cpuinfo_value(cpuinfo, "vendor_id"),
        "model": cpuinfo_value(cpuinfo, "model name"),
        "sockets": len(packages),
        "cores": len(cores),
        "threads": len(online),
        "numa_nodes": _numa_nodes(tree),
    }


def _numa_nodes(tree: Tree) -> int:
    """Return the number of NUMA nodes that have processors.

    Others are memory alone: a GPU's, where the processor reaches it as its own (Grace Hopper), and
    what is plugged in over CXL (Kernel, Documentation/ABI/stable/sysfs-devices-node).
    """
    for name in ("has_cpu", "online"):
        nodes = parse_cpu_list(tree.text(f"{_NODES}/{name}") or "")
        if nodes:
            return len(nodes)
    # A kernel built without NUMA has no such folder, and its memory is one node.
    return 1


def parse_cpu_list(text: str) -> list[int]:
    """Return the numbers in a kernel list such as ``0-3,8,10-11``; empty if it is no such list."""
    numbers: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", part.strip(), re.ASCII)
        if match is None:
            return []
        low = int(match.group(1))
        numbers.extend(range(low, int(match.group(2) or low) + 1))
    return numbers


def cpuinfo_value(cpuinfo: str, key: str) -> str | None:
    """Return the first value of a key in /proc/cpuinfo, or None."""
    match = re.search(rf"^{re.escape(key)}[ \t]*:[ \t]*(\S.*?)[ \t]*$", cpuinfo, re.MULTILINE)
    return match.group(1) if match else None
