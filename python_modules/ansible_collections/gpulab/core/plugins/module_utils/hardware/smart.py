"""What the disks say about their own health.

Asking opens the disk, and one that is dying may never answer. So every disk is asked by a child of
its own, and one that is late costs only its own entry.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
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
# SATA attributes by their names in smartmontools' drive database (drivedb.h, August 2026): the
# numbers mean something else on every maker's disk.
_ATA = {
    "reallocated": re.compile(
        r"Reallocated?_(?:Sector|Block|NAND)_.*|Retired_Block_C.*|Grown_Bad_Block.*"
    ),
    "pending": re.compile(r".*Pending_Sector.*"),
    "uncorrectable": re.compile(
        r"Reported_Uncorr.*|.*Offl(?:ine)?_Uncorr.*|Uncorrectable_(?:Err|ECC|Sector).*"
    ),
}
# Their normalised value is what is left of an SSD's life in percent; their raw value counts another
# thing with each maker.
_LIFE_LEFT = re.compile(
    r"Media_Wearout_Indicator|Wear_Level.*Co?u?n?t|.*Life.*(?:Left|Remain).*|.*Remain.*Life.*",
    re.IGNORECASE,
)
# Their raw value is what is used of it.
_LIFE_USED = re.compile(r".*Life.*_Used%?", re.IGNORECASE)
_PERCENT = 100
# Results of self-tests: ATA's upper half of the status (ACS-4, 9.5); NVM Express Base
# Specification, "Device Self-test Log"; SPC-5, "Self-Test Results log page", which keeps twenty.
_ATA_FATAL = 3
_NVME_FAILED = (5, 6, 7)
_SCSI_FAILED = (3, 4, 5, 6, 7)
_SCSI_TESTS = 20
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
    "failing_attributes": [],
    "self_test": None,
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
        "self_test": failed_self_test(document),
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
        return _attributes(
            [row for row in table if isinstance(row, dict)],
            _count(_at(document, "endurance_used", "current_percent")),
        )
    # SAS: grown defects are its reallocated sectors.
    errors = [
        _count(_at(document, "scsi_error_counter_log", kind, "total_uncorrected_errors"))
        for kind in ("read", "write", "verify")
    ]
    known = [count for count in errors if count is not None]
    return {
        "reallocated": _count(document.get("scsi_grown_defect_list")),
        "pending": _count(_at(document, "scsi_pending_defects", "count")),
        "uncorrectable": sum(known) if known else None,
        # 7.0 to 7.3 name it after SCSI, 7.4 as for the other kinds.
        "used_percent": _count(
            _at(document, "endurance_used", "current_percent")
            if "endurance_used" in document
            else document.get("scsi_percentage_used_endurance_indicator")
        ),
    }


def _attributes(rows: Sequence[Mapping[str, Any]], endurance_used: int | None) -> dict[str, Any]:
    """Return the counts in a SATA disk's attributes; `endurance_used` is smartctl's own percent."""
    counts: dict[str, Any] = {}
    for name, pattern in _ATA.items():
        found = [_count(_at(row, "raw", "value")) for row in rows if pattern.fullmatch(_name(row))]
        counts[name] = max((_sectors(value) for value in found if value is not None), default=None)
    used = [endurance_used, *(_used_percent(row) for row in rows)]
    return {
        **counts,
        "used_percent": max((one for one in used if one is not None), default=None),
        # Below the maker's threshold at this moment; "past" may have been a hot day.
        "failing_attributes": [
            f"{row.get('id')} {_name(row)}" for row in rows if row.get("when_failed") == "now"
        ],
    }


def _used_percent(row: Mapping[str, Any]) -> int | None:
    """Return how much of its life an attribute says that an SSD has used; None if it says none."""
    if _LIFE_USED.fullmatch(_name(row)):
        raw = _count(_at(row, "raw", "value"))
        return None if raw is None else _sectors(raw) & 0xFF
    left = _count(row.get("value"))
    # Some makers count down from 200 or 253: that is no percent.
    if left is None or left > _PERCENT or not _LIFE_LEFT.fullmatch(_name(row)):
        return None
    return _PERCENT - left


def _name(row: Mapping[str, Any]) -> str:
    return str(row.get("name") or "")


def failed_self_test(document: Mapping[str, Any]) -> str | None:
    """Return how the last self-test failed, in smartctl's words, or None.

    A failure is over when a newer test of its kind, or an extended one, found nothing. What was
    aborted says nothing.
    """
    passed: set[str] = set()
    for kind, failed, words in _self_tests(document):
        extended = any("extended" in one or "long" in one for one in passed)
        if failed is False:
            passed.add(kind)
        elif failed and kind not in passed and not extended:
            return f"{kind}: {words}"
    return None


def _self_tests(document: Mapping[str, Any]) -> Iterator[tuple[str, bool | None, str]]:
    """Yield the self-tests, the newest first: kind, whether it failed (None: aborted), words."""
    for log in ("extended", "standard"):
        table = _at(document, "ata_smart_self_test_log", log, "table")
        if isinstance(table, list):
            for row in table:
                passed = _at(row, "status", "passed")
                failed = not passed if isinstance(passed, bool) else None
                # Its own fatal error: the test could not be carried out by the disk.
                status = _count(_at(row, "status", "value"))
                if failed is None and status is not None and status >> 4 == _ATA_FATAL:
                    failed = True
                yield _word(row, "type", "string"), failed, _word(row, "status", "string")
            return
    nvme = _at(document, "nvme_self_test_log", "table")
    for row in nvme if isinstance(nvme, list) else []:
        result = _count(_at(row, "self_test_result", "value"))
        words = _word(row, "self_test_result", "string")
        yield _word(row, "self_test_code", "string"), _verdict(result, _NVME_FAILED), words
    for place in range(_SCSI_TESTS):
        row = document.get(f"scsi_self_test_{place}")
        if row is None:
            return
        result = _count(_at(row, "result", "value"))
        words = _word(row, "result", "string")
        yield _word(row, "code", "string"), _verdict(result, _SCSI_FAILED), words


def _verdict(result: int | None, failures: Sequence[int]) -> bool | None:
    return True if result in failures else False if result == 0 else None


def _word(row: object, *path: str) -> str:
    return str(_at(row, *path) or "").strip().lower()


def _sectors(raw: int) -> int:
    """Return the count in a raw value: some makers keep other numbers in its high bytes."""
    return raw & 0xFFFFFFFF


def _at(document: object, *path: str) -> object:
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
