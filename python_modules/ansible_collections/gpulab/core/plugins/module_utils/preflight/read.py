"""Read what preflight wants to know of a node. Runs on the node: standard library only."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from ..gpu_software.bus import nvidia_gpus
from ..hardware.sysfs import ProbeError, Tree
from .jetson import jetson

OS_RELEASE = ("etc/os-release", "usr/lib/os-release")
DISKS = ("/", "/var")


def read_node(root: Path = Path("/")) -> dict[str, Any]:
    """Read one node.

    Args:
        root: the folder to read from; another one in tests.

    Returns:
        ``python`` ([major, minor]), ``euid``, ``os_release`` (mapping; empty when unreadable),
        ``free_bytes`` (by path; None when unreadable), ``gpus`` (NVIDIA's, as `nvidia_gpus` returns
        them; None when unreadable, and ``gpus_unread`` says why), ``jetson`` (its name; "" when it
        is none), and ``time`` (s since 1970, UTC).
    """
    gpus, unread = _gpus(root)
    return {
        "python": list(sys.version_info[:2]),
        "euid": os.geteuid(),
        "os_release": _os_release(root),
        "free_bytes": {disk: _free_bytes(root / disk.lstrip("/")) for disk in DISKS},
        "gpus": gpus,
        "gpus_unread": unread,
        "jetson": jetson(Tree(str(root))),
        "time": time.time(),
    }


def parse_os_release(content: str) -> dict[str, str]:
    """Read os-release(5): ``ID``, ``VERSION_ID`` and so on, without their quotes."""
    pairs = (line.partition("=") for line in content.splitlines() if "=" in line)
    return {
        name.strip(): value.strip().strip("\"'")
        for name, _, value in pairs
        if not name.lstrip().startswith("#")
    }


def _gpus(root: Path) -> tuple[list[dict[str, Any]] | None, str]:
    try:
        return nvidia_gpus(Tree(str(root))), ""
    except ProbeError as error:
        return None, str(error)


def _os_release(root: Path) -> dict[str, str]:
    for name in OS_RELEASE:
        try:
            return parse_os_release((root / name).read_text(encoding="utf-8"))
        except OSError:  # noqa: PERF203 -- two files at most
            continue
    return {}


def _free_bytes(path: Path) -> int | None:
    try:
        disk = os.statvfs(path)
    except OSError:
        return None
    return disk.f_bavail * disk.f_frsize
