"""Xid and SXid: what NVIDIA's driver writes into the kernel's log when a GPU or an NVSwitch fails.

What an Xid asks for is its code's class in NVIDIA's catalogue (xid_catalogue.py) and the driver's
own word, fatal or nonfatal. Of an SXid the switch says it itself (Fabric Manager User Guide). A
code that is not in the catalogue is class ``other``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .gpu_facts import normal_bdf
from .xid_catalogue import NVLINK_CODES, WATCHED, XID_CLASSES

# From the least to the worst.
CLASSES = (
    *("information", "recovered", "watch", "other"),
    *("application", "isolate", "reset", "reboot"),
)
# The driver's own verdict on what the GPU needs; it overrides the table. The numbers are
# NVML_GPU_RECOVERY_ACTION_*; the words beside them changed between drivers.
RECOVERY_ACTION = 154
_RECOVERY_CLASSES = {0: "information", 2: "reboot", 7: "reboot"}
_RECOVERY = re.compile(r"recovery action changed from 0x[0-9a-fA-F]+ .*? to 0x([0-9a-fA-F]+)")
_ADDRESS = r"\((?:PCI:)?([0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}(?:\.[0-7])?)[^)]{0,40}\)"
_XID = re.compile(rf"NVRM: Xid {_ADDRESS}: (\d{{1,5}})(?:, *(.*))?", re.ASCII)
_SXID = re.compile(rf"nvidia-nvswitch\d+:? SXid {_ADDRESS}: (\d{{1,6}})(?:, *(.*))?", re.ASCII)
_WORD = re.compile(r"\b(?:(non)[- ]?)?fatal\b", re.IGNORECASE)
# The third line of an SXid: 0 is nonfatal, 1 is fatal (NVSWITCH_ERROR_SEVERITY_TYPE in
# ctrl_dev_nvswitch.h, NVIDIA's open kernel modules 595.45).
_SEVERITY = re.compile(r"Severity (\d{1,3})\b", re.ASCII)
_FATAL_SEVERITY = 1
_TEXT_LIMIT = 160


def parse_xids(log: str) -> list[dict[str, Any]]:
    """Return the events in a kernel log, in its order.

    Each is ``kind`` (xid, sxid), ``bdf``, ``code``, ``class``, ``text`` (the driver's words) and
    ``count``: how often it came in a row on that part. The lines of one SXid (its data, its word,
    its severity) are one event.
    """
    events: list[dict[str, Any]] = []
    last: dict[str, dict[str, Any]] = {}
    switches: dict[tuple[str, int], dict[str, Any]] = {}
    for line in log.splitlines():
        event = _parse_line(line)
        if event is None:
            continue
        if event["kind"] == "sxid":
            before = switches.get((event["bdf"], event["code"]))
            if before and _join(before, event):
                continue
            switches[event["bdf"], event["code"]] = event
        else:
            before = last.get(event["bdf"])
            if before and all(before[key] == event[key] for key in ("code", "class")):
                before["count"] += 1
                continue
            last[event["bdf"]] = event
        events.append(event)
    return events


def _join(before: dict[str, Any], event: Mapping[str, Any]) -> bool:
    """Join a line of an SXid with what came before it of the same switch and code, if it belongs.

    A line of data or severity belongs to the word beside it, whichever came first; a second word is
    the same fault again. What says another severity is a fault of its own.
    """
    worded, was_worded = _is_worded(event), _is_worded(before)
    if "other" not in (before["class"], event["class"]) and before["class"] != event["class"]:
        return False
    if worded and was_worded:
        before["count"] += 1
    elif worded:
        before.update(text=event["text"], **{"class": event["class"]})
    elif not was_worded:
        before["class"] = max(before["class"], event["class"], key=CLASSES.index)
    return True


def _is_worded(event: Mapping[str, Any]) -> bool:
    return _WORD.match(event["text"]) is not None


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
    """Return what an Xid asks for.

    The driver's word decides for the faults of NVLink and for codes that the catalogue does not
    class: a fatal one asks for a reset, a nonfatal one is to be watched.
    """
    if code == RECOVERY_ACTION:
        match = _RECOVERY.search(text)
        # Every other action (reset, drain and reset, reset of the bus) is a reset of the GPU.
        return _RECOVERY_CLASSES.get(int(match.group(1), 16), "reset") if match else "other"
    known = XID_CLASSES.get(code, "watch" if code in WATCHED else "other")
    word = _WORD.search(text)
    if word is None or (known != "other" and code not in NVLINK_CODES):
        return known
    return "watch" if word.group(1) else "reset"


def sxid_class(text: str) -> str:
    """Return what one line of an SXid asks for: the switch says itself whether it is fatal."""
    word = _WORD.match(text)
    if word:
        return "information" if word.group(1) else "reset"
    severity = _SEVERITY.match(text)
    return "reset" if severity and int(severity.group(1)) >= _FATAL_SEVERITY else "other"


def worst(events: Iterable[Mapping[str, Any]]) -> str | None:
    """Return the class of all events of one part together, or None without any.

    What the driver last said of the recovery overrides what came before it; a GPU of which it says
    that nothing is needed any more has recovered. Words that are not understood override nothing.
    """
    classes: list[str] = []
    for event in events:
        action = event["kind"] == "xid" and event["code"] == RECOVERY_ACTION
        if action and classes and event["class"] != "other":
            recovered = event["class"] == "information"
            classes = ["recovered" if recovered else event["class"]]
        else:
            classes.append(event["class"])
    return max(classes, key=CLASSES.index) if classes else None
