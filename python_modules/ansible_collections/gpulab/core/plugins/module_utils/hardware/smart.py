"""What the disks say about their own health.

Asking opens the disk, and one that is dying may never answer. So every disk is asked by a child of
its own, and one that is late costs only its own entry.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from .disks import smart_names
from .runner import Probe, run_probes
from .sysfs import ProbeError, Tree
from .tools import RunTool, ToolResult

# smartctl(8), "EXIT STATUS", is a bit mask. The low bits say that nothing was read; 2 is also set
# where one of several commands failed, so what was read decides.
_NOT_ASKED, _NOT_OPENED = 0x01, 0x02
_NOT_INSTALLED = "smartctl is not installed: install the package smartmontools"
# ATA attributes that count sectors, by their number: reallocated; pending; uncorrectable.
_ATA = {"reallocated": (5,), "pending": (197,), "uncorrectable": (187, 198)}
_NVME_LOG = "nvme_smart_health_information_log"
_NOTHING: dict[str, Any] = {
    "serial": None,
    "model": None,
    "protocol": None,
    "passed": None,
    "critical_warning": None,
    "spare_percent": None,
    "spare_threshold_percent": None,
    "used_percent": None,
    "media_errors": None,
    "reallocated": None,
    "pending": None,
    "uncorrectable": None,
    "power_on_hours": None,
    "temperature_c": None,
}


def read_smart(tree: Tree, run: RunTool, deadline_s: float) -> list[dict[str, Any]]:
    """Return the health of every SATA, SAS and NVMe disk; ``reason`` says why one is unknown.

    Args:
        tree: The node's files.
        run: How to run a tool.
        deadline_s: Seconds for each disk.

    Raises:
        ProbeError: smartctl is not installed, or there is no /sys/block.
    """
    if not tree.exists("sys/block"):
        raise ProbeError("/sys/block is not readable")
    outcomes = run_probes(
        {name: Probe(partial(_ask, run, name), deadline_s) for name in smart_names(tree)}
    )
    if any(outcome.reason == _NOT_INSTALLED for outcome in outcomes.values()):
        raise ProbeError(_NOT_INSTALLED)
    return [
        {"name": name, **(outcome.value or _NOTHING), "reason": outcome.reason}
        for name, outcome in outcomes.items()
    ]


def _ask(run: RunTool, name: str) -> dict[str, Any]:
    answer = run(("smartctl", "-j", "-a", f"/dev/{name}"))
    if answer.missing:
        raise ProbeError(_NOT_INSTALLED)
    return parse_smart(answer)


def parse_smart(answer: ToolResult) -> dict[str, Any]:
    """Return the health in the output of ``smartctl -j -a`` (smartmontools 7.0 and later).

    What the kind of disk does not have is null.

    Raises:
        ProbeError: The disk could not be opened, or smartctl is too old for JSON.
    """
    try:
        document = json.loads(answer.stdout)
    except ValueError as error:
        raise ProbeError(
            f"smartctl: {answer.complaint} (JSON needs smartmontools 7.0 or later)"
        ) from error
    if not isinstance(document, dict):
        raise ProbeError("smartctl: no JSON object")
    passed = _at(document, "smart_status", "passed")
    health = {
        **_NOTHING,
        "serial": document.get("serial_number"),
        "model": document.get("model_name") or document.get("scsi_model_name"),
        "protocol": {"NVMe": "nvme", "ATA": "ata", "SCSI": "scsi"}.get(
            str(_at(document, "device", "protocol"))
        ),
        "passed": passed if isinstance(passed, bool) else None,
        "power_on_hours": _count(_at(document, "power_on_time", "hours")),
        "temperature_c": _count(_at(document, "temperature", "current")),
        **_counts(document),
    }
    unread = all(
        health[key] is None for key in ("passed", "media_errors", "reallocated", "uncorrectable")
    )
    if unread or answer.rc & _NOT_ASKED or (answer.rc & _NOT_OPENED and passed is None):
        raise ProbeError(f"smartctl: {_message(document) or answer.complaint}")
    return health


def _counts(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the counters of the disk's kind."""
    log = document.get(_NVME_LOG)
    if isinstance(log, dict):
        return {
            "critical_warning": _count(log.get("critical_warning")),
            "spare_percent": _count(log.get("available_spare")),
            "spare_threshold_percent": _count(log.get("available_spare_threshold")),
            "used_percent": _count(log.get("percentage_used")),
            "media_errors": _count(log.get("media_errors")),
        }
    table = _at(document, "ata_smart_attributes", "table")
    if isinstance(table, list):
        raw = {
            row["id"]: _count(_at(row, "raw", "value"))
            for row in table
            if isinstance(row, dict) and "id" in row
        }
        counts: dict[str, Any] = {}
        for name, numbers in _ATA.items():
            found = [raw[number] for number in numbers if raw.get(number) is not None]
            counts[name] = max(
                (_sectors(value) for value in found if value is not None), default=None
            )
        return {
            **counts,
            "used_percent": _count(_at(document, "endurance_used", "current_percent")),
        }
    # SAS: grown defects are its reallocated sectors.
    errors = [
        _count(_at(document, "scsi_error_counter_log", kind, "total_uncorrected_errors"))
        for kind in ("read", "write", "verify")
    ]
    known = [count for count in errors if count is not None]
    return {
        "reallocated": _count(document.get("scsi_grown_defect_list")),
        "uncorrectable": sum(known) if known else None,
        # 7.0 to 7.3 name it after SCSI, 7.4 as for the other kinds.
        "used_percent": _count(
            _at(document, "endurance_used", "current_percent")
            if "endurance_used" in document
            else document.get("scsi_percentage_used_endurance_indicator")
        ),
    }


def _sectors(raw: int) -> int:
    """Return the count in a raw value: some makers keep other numbers in its high bytes."""
    return raw & 0xFFFFFFFF


def _at(document: Mapping[str, Any], *path: str) -> object:
    inner: Any = document
    for step in path:
        if not isinstance(inner, dict):
            return None
        inner = inner.get(step)
    return inner


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _message(document: Mapping[str, Any]) -> str:
    messages = _at(document, "smartctl", "messages")
    texts = [
        str(message.get("string", ""))
        for message in (messages if isinstance(messages, list) else [])
        if isinstance(message, dict)
    ]
    return "; ".join(text for text in texts if text)
