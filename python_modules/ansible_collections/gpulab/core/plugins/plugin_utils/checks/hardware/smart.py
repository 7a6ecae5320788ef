"""Check of the disks' health, as they tell it themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..finding import Facts, Finding, HardwareCheck, Requirements, number, part, waived
from .storage import disk_part, is_fitted

# A proposal, to be calibrated: time to order another one. At 100 the maker's warranty of its
# endurance ends (NVM Express Base Specification, "Percentage Used").
USED_WARN = 80
USED_FAIL = 100
# Bits of the NVMe critical warning (NVM Express Base Specification, SMART / Health Information).
_CRITICAL = {
    0x01: "spare below threshold",
    0x02: "temperature out of range",
    0x04: "reliability degraded",
    0x08: "read only",
    0x10: "volatile memory backup failed",
    0x20: "persistent memory unreliable",
}
# Counts of data that could not be read, and of sectors that were replaced in time.
_LOST = {
    "media_errors": "media errors",
    "pending": "sectors that can't be read",
    "uncorrectable": "uncorrectable errors",
}


def _smart(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    if not wanted["smart"]:
        return waived(check, part("disk", "all disks"), "smart")
    told = {entry.get("name"): entry for entry in facts["smart"]}
    disks = [disk for disk in facts["disks"] if is_fitted(disk)]
    if not disks:
        evidence = "no disk that belongs to this machine"
        return [
            check.finding(
                "unknown",
                part("disk", "no disk"),
                None,
                "passed",
                evidence=evidence,
                action=check.action,
            )
        ]
    return [_health(check, disk, told.get(disk.get("name"))) for disk in disks]


def _health(
    check: HardwareCheck, disk: Mapping[str, Any], health: Mapping[str, Any] | None
) -> Finding:
    which = disk_part({**disk, "serial": disk.get("serial") or (health or {}).get("serial")})
    reason = f"a {disk.get('transport')} disk has no SMART data"
    if health is not None:
        reason = health.get("reason") or ""
    if health is None or reason:
        return check.finding("unknown", which, None, "passed", evidence=reason, action=check.action)
    failed, worn = faults(health)
    if failed:
        status, action = "fail", "Copy its data away and replace this disk."
    elif worn:
        status, action = "warn", "Order a replacement, and see whether the numbers grow."
    elif health.get("passed") is None or not _counted(health):
        evidence = "the disk gives no verdict on itself, or none of its counts"
        return check.finding(
            "unknown", which, None, "passed", evidence=evidence, action=check.action
        )
    else:
        status, action = "pass", ""
    return check.finding(
        status,
        which,
        "failed" if health.get("passed") is False else ", ".join([*failed, *worn]) or "passed",
        "passed",
        evidence="; ".join([*failed, *worn]) or _summary(health),
        action=action,
    )


def _counted(health: Mapping[str, Any]) -> bool:
    """Return whether the counts of the disk's kind were read: a verdict alone is little."""
    if health.get("protocol") == "nvme":
        return all(
            number(health.get(key)) is not None
            for key in ("critical_warning", "media_errors", "used_percent", "spare_percent")
        )
    keys = ("reallocated", "pending", "uncorrectable", "used_percent")
    return any(number(health.get(key)) is not None for key in keys)


def faults(health: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return what says that a disk fails (or lost data), and what says that it wears out."""
    failed = ["its own verdict is failed"] if health.get("passed") is False else []
    if health.get("self_test"):
        failed.append(f"its last self-test failed ({health['self_test']})")
    worn = [f"{name} below its threshold" for name in health.get("failing_attributes") or []]
    warning = number(health.get("critical_warning")) or 0
    failed += [words for bit, words in _CRITICAL.items() if int(warning) & bit]
    for key, words in _LOST.items():
        count = number(health.get(key)) or 0
        if count > 0:
            failed.append(f"{count} {words}")
    spare, threshold = (
        number(health.get("spare_percent")),
        number(health.get("spare_threshold_percent")),
    )
    if spare is not None and threshold is not None and spare <= threshold:
        text = f"spare {spare} %, threshold {threshold} %"
        (failed if spare < threshold else worn).append(text)
    used = number(health.get("used_percent"))
    if used is not None and used >= USED_WARN:
        (failed if used >= USED_FAIL else worn).append(f"{used} % of its endurance used")
    reallocated = number(health.get("reallocated")) or 0
    if reallocated > 0:
        worn.append(f"{reallocated} sectors replaced")
    return failed, worn


def _summary(health: Mapping[str, Any]) -> str:
    words = ["passed"]
    for key, text in (("used_percent", "% used"), ("power_on_hours", "hours on")):
        if health.get(key) is not None:
            words.append(f"{health[key]} {text}")
    return ", ".join(words)


SMART_CHECKS = (
    HardwareCheck(
        id="disk.smart",
        title="Health of each disk (SMART)",
        section="storage",
        requires=("smart",),
        probes=("smart", "disks"),
        part="disk",
        source="smartctl -j -a",
        threshold="fails: the disk's own verdict, its last self-test, an NVMe critical warning, "
        "data that could not be read (media errors, pending or uncorrectable sectors), spare below "
        "its threshold, "
        f"{USED_FAIL} % of the endurance used; warns: {USED_WARN} % used, spare at its threshold, "
        "replaced sectors, an attribute below its threshold",
        threshold_source="NVM Express Base Specification and the disk's own thresholds; "
        f"{USED_WARN} % is our proposal, to be calibrated",
        severity="fail",
        action="Install smartmontools 7 or later and run `smartctl -a /dev/NAME` as root; a disk "
        "behind a RAID controller needs `-d`, and a virtual disk has no health to tell.",
        judge=_smart,
    ),
)
