"""Checks of the disks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ..finding import DECLARED, TB, Facts, Finding, HardwareCheck, Requirements, number, part

_SOURCE = "/sys/block/*/{size,queue/rotational}"
# Fitted to the node, as opposed to plugged into it or reached over a network.
_FOREIGN = ("usb", "iscsi")


def _capacity(
    kind: str, requirement: str, check: HardwareCheck, facts: Facts, wanted: Requirements
) -> list[Finding]:
    """Compare the sum over the disks of one kind; disks of unknown kind or size leave it open."""
    expected = wanted[requirement]
    own = [disk for disk in facts["disks"] if is_fitted(disk)]
    counted = [disk for disk in own if disk.get("kind") == kind]
    doubtful = [
        disk
        for disk in own
        if disk.get("kind") not in ("ssd", "hdd")
        or (disk in counted and number(disk.get("size_bytes")) is None)
    ]
    total = _sum_tb(counted)
    if total >= expected:
        status = "pass"
    elif any(number(disk.get("size_bytes")) is None for disk in doubtful):
        status = "unknown"
    else:
        status = "unknown" if total + _sum_tb(doubtful) >= expected else "fail"
    # The part to look at: one that could not be told, else all that was found.
    suspects = doubtful if status == "unknown" else counted
    evidence = f"{kind.upper()}: {_describe(counted)}"
    if doubtful:
        evidence += f"; kind or size unknown: {_describe(doubtful)}"
    return [
        check.finding(
            status,
            _part_of(suspects, kind),
            round(total, 3) if status != "unknown" else None,
            expected,
            unit="TB",
            evidence=evidence,
            action=check.action if status == "unknown" else _missing(kind),
        )
    ]


def _missing(kind: str) -> str:
    return (
        f"Compare the {kind.upper()}s listed with those fitted, by serial number; reseat or "
        "replace the one that is missing, or correct the spec."
    )


def is_fitted(disk: Mapping[str, Any]) -> bool:
    """Return whether a disk belongs to the machine."""
    return not disk.get("removable") and disk.get("transport") not in _FOREIGN


def _sum_tb(disks: list[Mapping[str, Any]]) -> float:
    return sum(number(disk.get("size_bytes")) or 0 for disk in disks) / TB


def _part_of(disks: list[Mapping[str, Any]], kind: str) -> dict[str, str]:
    """Return the part for one disk, for several, or for the absence of any."""
    if len(disks) != 1:
        names = " ".join(str(disk.get("name")) for disk in disks)
        return part("disk", names or f"no {kind.upper()}")
    return disk_part(disks[0])


def disk_part(disk: Mapping[str, Any]) -> dict[str, str]:
    """Return the part for one disk."""
    return part(
        "disk",
        disk.get("name"),
        serial=disk.get("serial"),
        bdf=disk.get("bdf"),
        slot=disk.get("slot"),
    )


def _describe(disks: list[Mapping[str, Any]]) -> str:
    """Return the disks with size and serial number, on one line."""
    described = []
    for disk in disks:
        size = number(disk.get("size_bytes"))
        amount = "size unknown" if size is None else f"{size / TB:.3g} TB"
        serial = disk.get("serial")
        known = f" (serial {serial})" if serial else ""
        described.append(f"{disk.get('name')} {amount}{known}")
    return ", ".join(described) or "none"


STORAGE_CHECKS = (
    HardwareCheck(
        id="disk.ssd",
        title="Capacity of the SSDs",
        section="storage",
        requires=("ssd_tb_min",),
        probes=("disks",),
        part="disk",
        source=_SOURCE,
        threshold="sum of the fitted SSDs at least `storage.ssd_tb_min` (1 TB = 10^12 bytes)",
        threshold_source=DECLARED,
        severity="fail",
        action="Run `lsblk -bdo NAME,SIZE,ROTA,TRAN,SERIAL` on the node and see which disk it is; "
        "a virtual disk has no kind of its own.",
        judge=partial(_capacity, "ssd", "ssd_tb_min"),
    ),
    HardwareCheck(
        id="disk.hdd",
        title="Capacity of the hard disks",
        section="storage",
        requires=("hdd_tb_min",),
        probes=("disks",),
        part="disk",
        source=_SOURCE,
        threshold="sum of the fitted hard disks at least `storage.hdd_tb_min` (1 TB = 10^12 bytes)",
        threshold_source=DECLARED,
        severity="fail",
        action="Run `lsblk -bdo NAME,SIZE,ROTA,TRAN,SERIAL` on the node and see which disk it is; "
        "a virtual disk has no kind of its own.",
        judge=partial(_capacity, "hdd", "hdd_tb_min"),
    ),
)
