"""Xid and SXid: what NVIDIA's driver writes into the kernel's log when a GPU or an NVSwitch fails.

Codes: NVIDIA, "Xid Errors" (https://docs.nvidia.com/deploy/xid-errors/) and, for SXid, the Fabric
Manager User Guide. A code that is not in the table is class ``other``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .gpu_facts import normal_bdf

# From the least to the worst.
CLASSES = ("information", "recovered", "other", "application", "isolate", "reset", "reboot")
XID_CLASSES = {
    13: "application",  # graphics engine exception
    31: "application",  # MMU fault
    48: "reset",  # double-bit ECC error
    54: "isolate",  # auxiliary power is not connected
    63: "information",  # a row was remapped, or a page retired
    64: "reset",  # a row could not be remapped
    79: "reboot",  # fallen off the bus
    92: "information",  # many corrected ECC errors
    94: "application",  # contained memory error
    95: "reset",  # uncontained memory error
    109: "reset",  # context switch timeout
    119: "reset",  # the GPU's system processor does not answer
    120: "reset",  # the GPU's system processor failed
}
# The driver's own verdict on what the GPU needs; it overrides the table. The numbers are
# NVML_GPU_RECOVERY_ACTION_*; the words beside them changed between drivers.
RECOVERY_ACTION = 154
_RECOVERY_CLASSES = {0: "information", 2: "reboot", 7: "reboot"}
_RECOVERY = re.compile(r"recovery action changed from 0x[0-9a-fA-F]+ .*? to 0x([0-9a-fA-F]+)")
_ADDRESS = r"\((?:PCI:)?([0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}(?:\.[0-7])?)[^)]{0,40}\)"
_XID = re.compile(rf"NVRM: Xid {_ADDRESS}: (\d{{1,5}})(?:, *(.*))?", re.ASCII)
_SXID = re.compile(rf"nvidia-nvswitch\d+:? SXid {_ADDRESS}: (\d{{1,6}})(?:, *(.*))?", re.ASCII)
_TEXT_LIMIT = 160


def parse_xids(log: str) -> list[dict[str, Any]]:
    """Return the events in a kernel log, in its order.

    Each is ``kind`` (xid, sxid), ``bdf``, ``code``, ``class``, ``text`` (the driver's words) and
    ``count``: how often it came in a row on that part.
    """
    events: list[dict[str, Any]] = []
    last: dict[str, dict[str, Any]] = {}
    for line in log.splitlines():
        event = _parse_line(line)
        if event is None:
            continue
        before = last.get(event["bdf"])
        if before and all(before[key] == event[key] for key in ("kind", "code", "class")):
            before["count"] += 1
            continue
        last[event["bdf"]] = event
        events.append(event)
    return events


def _parse_line(line: str) -> dict[str, Any] | None:
    for kind, pattern in (("xid", _XID), ("sxid", _SXID)):
        match = pattern.search(line)
        if match:
            bdf, code, text = match.group(1), int(match.group(2)), (match.group(3) or "").strip()
            bdf = normal_bdf(bdf)
            return {
                "kind": kind,
                # The driver leaves a GPU's function out: it is always the first.
                "bdf": bdf if "." in bdf else f"{bdf}.0",
                "code": code,
                "class": xid_class(code, text) if kind == "xid" else sxid_class(text),
                "text": text[:_TEXT_LIMIT],
                "count": 1,
            }
    return None


def xid_class(code: int, text: str = "") -> str:
    """Return what an Xid asks for."""
    if code == RECOVERY_ACTION:
        match = _RECOVERY.search(text)
        # Every other action (reset, drain and reset, reset of the bus) is a reset of the GPU.
        return _RECOVERY_CLASSES.get(int(match.group(1), 16), "reset") if match else "other"
    return XID_CLASSES.get(code, "other")


def sxid_class(text: str) -> str:
    """Return what an SXid asks for: the switch says itself whether it is fatal."""
    severity = text.partition(",")[0].strip().lower()
    return {"fatal": "reset", "non-fatal": "information"}.get(severity, "other")


def worst(events: Iterable[Mapping[str, Any]]) -> str | None:
    """Return the class of all events of one part together, or None without any.

    What the driver last said of the recovery overrides what came before it; a GPU of which it says
    that nothing is needed any more has recovered.
    """
    classes: list[str] = []
    for event in events:
        if event["kind"] == "xid" and event["code"] == RECOVERY_ACTION and classes:
            recovered = event["class"] == "information"
            classes = ["recovered" if recovered else event["class"]]
        else:
            classes.append(event["class"])
    return max(classes, key=CLASSES.index) if classes else None
