"""Main memory."""

from __future__ import annotations

import re
from typing import Any

from .sysfs import ProbeError, Tree


def read_memory(tree: Tree) -> dict[str, Any]:
    """Return ``total_bytes`` (what the kernel manages) and ``swap_bytes``.

    Raises:
        ProbeError: /proc/meminfo is not readable or lacks MemTotal.
    """
    text = tree.text("proc/meminfo")
    if text is None:
        raise ProbeError("/proc/meminfo is not readable")
    total = meminfo_bytes(text, "MemTotal")
    if not total:
        raise ProbeError("/proc/meminfo has no MemTotal")
    return {"total_bytes": total, "swap_bytes": meminfo_bytes(text, "SwapTotal")}


def meminfo_bytes(text: str, key: str) -> int | None:
    """Return a value of /proc/meminfo in bytes, or None. Its "kB" are units of 1024 bytes."""
    match = re.search(rf"^{re.escape(key)}:\s*(\d{{1,15}}) kB$", text, re.MULTILINE | re.ASCII)
    return int(match.group(1)) * 1024 if match else None
