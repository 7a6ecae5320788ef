"""Checks of the GPUs' health: kernel log, memory errors, temperature, clocks, and who uses them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....module_utils.hardware.gpu_facts import MIB
from ....module_utils.hardware.xid import worst
from ..finding import Facts, Finding, HardwareCheck, Requirements, number, part
from ..gpu_models import DATA_CENTRE, is_model
from ..specs import ANY_GPU
from .gpu_parts import Gpu, each_listed, is_unsupported, named, on_bus, part_of, unread, why_null

# Event reasons that lower the clocks for heat or for want of power (bits 0x08, 0x20, 0x40, 0x80).
SLOWDOWNS = (
    "hw_slowdown",
    "hw_thermal_slowdown",
    "hw_power_brake_slowdown",
    "sw_thermal_slowdown",
)
MARGIN_C = 5
IDLE_MEMORY_BYTES = 15 * MIB
# A GPU can be cut into seven instances, and each holds some memory for itself: 16 MiB were seen on
# H100, 32 leave room.
IDLE_MIG_MEMORY_BYTES = IDLE_MEMORY_BYTES + 7 * 32 * MIB
# A board can retire 64 pages; shortly before that it is used up.
RETIRED_PAGES_MAX = 60
_NVML = "NVML"

# Class of Xid (xid.py) -> status, and what to do with the part.
_XID_STATUS = {
    "reboot": (
        "fail",
        (
            "Power the node off and on; if it comes again, check seating and power "
            "cables of {part}, then replace it."
        ),
    ),
    "reset": (
        "fail",
        (
            "Drain the node and reset {part} (`nvidia-smi -r -i {bdf}`, or reboot); if "
            "it comes again, replace it."
        ),
    ),
    "isolate": (
        "fail",
        ("Take the node out of service and check the auxiliary power cable of {part}."),
    ),
    "application": (
        "warn",
        (
            "Look for the job that ran on {part}; if jobs of other users meet it "
            "too, run NVIDIA's field diagnostic on it."
        ),
    ),
    "other": ("warn", "Look the code up in NVIDIA's list of Xid errors before {part} is used."),
    "watch": (
        "warn",
        ("Nothing is asked for now; watch {part}, and call its maker if it comes again."),
    ),
    "recovered": (
        "warn",
        ("The driver says that {part} has recovered; watch it, and replace it if it comes again."),
    ),
    "information": ("pass", ""),
}


def _xid(check: HardwareCheck, facts: Facts, _wanted: Requirements) -> list[Finding]:
    log, gpus = facts["kernel_log"], on_bus(facts)
    by_part: dict[str, list[Mapping[str, Any]]] = {str(gpu.get("bdf")): [] for gpu in gpus}
    for event in log["events"]:
        by_part.setdefault(event["bdf"], []).append(event)
    known = {str(gpu.get("bdf")): part_of(gpu, facts) for gpu in gpus}
    return [
        _xid_of(check, known.get(bdf) or _gone(bdf, events), events, log)
        for bdf, events in by_part.items()
    ]


def _gone(bdf: str, events: list[Mapping[str, Any]]) -> dict[str, str]:
    """Return the part at an address of the log at which no GPU is on the bus (any more)."""
    switch = events[0]["kind"] == "sxid"
    return part("gpu", "NVSwitch" if switch else "GPU no longer on the bus", bdf=bdf)


def _xid_of(
    check: HardwareCheck,
    which: dict[str, str],
    events: list[Mapping[str, Any]],
    log: Mapping[str, Any],
) -> Finding:
    what = worst(events)
    status, action = _XID_STATUS[what or "information"]
    codes = sorted({event["code"] for event in events})
    # The last of those that decided; milder ones after them do not push them out.
    grave = [event for event in events if event["class"] == what] or events
    shown = "; ".join(
        f"{'Xid' if event['kind'] == 'xid' else 'SXid'} {event['code']}"
        + (f" {event['count']} times" if event["count"] > 1 else "")
        + (f": {event['text']}" if event["text"] else "")
        for event in grave[-3:]
    )
    evidence = f"{log['source']}: {shown or 'no Xid since boot'}"
    if status == "pass" and not log["complete"]:
        status = "warn"
        evidence += "; the log does not reach back to the boot"
        action = "Keep a larger journal (SystemMaxUse in journald.conf); a reboot starts it anew."
    return check.finding(
        status,
        which,
        codes,
        [],
        evidence=evidence,
        action=action.format(part=named(which), bdf=which["bdf"]),
        severity="warn" if status == "warn" else "",
    )


def _ecc_errors(check: HardwareCheck, facts: Facts, _wanted: Requirements) -> list[Finding]:
    def judge(_gpu: Gpu, nvml: Gpu, which: dict[str, str]) -> Finding | None:
        errors = nvml["ecc_errors"]
        count, exceeded = errors["volatile_uncorrected"], errors["sram_threshold_exceeded"]
        # What is known of a sum that is not: errors that were counted are errors.
        least = errors.get("volatile_uncorrected_least") if count is None else count
        total = errors["aggregate_uncorrected"]
        said = {True: "exceeded", False: "not exceeded", None: "not told"}[exceeded]
        shown = f"at least {least}" if count is None and least else "?" if count is None else count
        failed = bool(least or exceeded)
        if not failed and _is_untold(nvml, "ecc_errors", count, exceeded):
            if is_unsupported(nvml, "ecc_errors") and not _has_ecc(nvml):
                return None
            return check.finding(
                "unknown",
                which,
                None,
                0,
                evidence=f"uncorrected errors: {why_null(nvml, 'ecc_errors')}",
                action=f"{check.action} Errors are counted only while ECC is on (gpu.ecc_mode).",
            )
        return check.finding(
            "fail" if failed else "pass",
            which,
            least,
            0,
            unit="errors",
            evidence=f"uncorrected memory errors: {shown} since the driver was loaded, "
            f"{'?' if total is None else total} in its life; SRAM threshold {said}",
            action=f"Replace {named(which)}: its SRAM has used up its error threshold."
            if exceeded
            else f"Drain the node and reset {named(which)}, then run this again; if errors come "
            "again, replace it.",
        )

    return each_listed(check, facts, judge, 0)


def _is_untold(nvml: Gpu, field: str, count: int | None, exceeded: bool | None) -> bool:
    """Return whether the count is not known, or an error hides the threshold."""
    hidden = f"{field}.sram_threshold_exceeded" in unread(nvml)
    return count is None or (exceeded is None and hidden)


def _has_ecc(nvml: Gpu) -> bool:
    """Return whether this model has ECC, so that counters it does not tell are missing."""
    return nvml["ecc"] is True or is_model(nvml["name"] or "", DATA_CENTRE)


# Repairs of drivers since 575 -> what is due.
_PENDING = {
    "channel_pending": "a repair of a memory channel",
    "tpc_pending": "a repair of a processor (TPC)",
    "bank_pending": "a remapping of a bank",
}
_REPAIR_FIELDS = ("remapped_rows", "retired_pages", "repairs")


def _row_remap(check: HardwareCheck, facts: Facts, _wanted: Requirements) -> list[Finding]:
    def judge(_gpu: Gpu, nvml: Gpu, which: dict[str, str]) -> Finding | None:
        rows, pages, repairs = (nvml.get(field) or {} for field in _REPAIR_FIELDS)
        spent, due = _spent(rows, pages, repairs), _due(rows, pages, repairs)
        if spent or due:
            return check.finding(
                "fail",
                which,
                "failure" if spent else "pending",
                "none",
                evidence="; ".join([*spent, *_done(rows, pages)])
                + (f", a repair is pending: {', '.join(due)}" if due else ""),
                action=f"Replace {named(which)}: its memory has no spare left for the bad part."
                if spent
                else f"Drain the node and reset {named(which)}, so that the repair takes effect, "
                "then run this again.",
            )
        failed = [field for field in unread(nvml) if field.startswith(_REPAIR_FIELDS)]
        if failed:
            return _unknown_repairs(check, which, why_null(nvml, failed[0]))
        if not rows and not pages:
            absent = is_unsupported(nvml, "remapped_rows") and is_unsupported(nvml, "retired_pages")
            if absent and not _has_ecc(nvml):
                return None
            return _unknown_repairs(check, which, why_null(nvml, "remapped_rows"))
        if _is_partly_told(rows, pages):
            return _unknown_repairs(check, which, why_null(nvml, "remapped_rows"))
        return check.finding(
            "pass", which, "none", "none", evidence="; ".join(_done(rows, pages)), action=""
        )

    return each_listed(check, facts, judge, "none")


def _spent(rows: Gpu, pages: Gpu, repairs: Gpu) -> list[str]:
    """Return what can't be repaired any more."""
    retired = (pages.get("corrected") or 0) + (pages.get("uncorrected") or 0)
    return [
        *(["a row could not be remapped"] if rows.get("failure") else []),
        *(["the memory has a fault that can't be repaired"] if _is_unrepairable(repairs) else []),
        *([f"{retired} pages are retired"] if retired >= RETIRED_PAGES_MAX else []),
    ]


def _is_unrepairable(repairs: Gpu) -> bool:
    return repairs.get("unrepairable_memory") is True


def _due(rows: Gpu, pages: Gpu, repairs: Gpu) -> list[str]:
    """Return the repairs that a reset would make."""
    return [
        *(["a remapping of a row"] if rows.get("pending") else []),
        *(["a retirement of a page"] if pages.get("pending") else []),
        *(words for name, words in _PENDING.items() if repairs.get(name)),
    ]


def _done(rows: Gpu, pages: Gpu) -> list[str]:
    return [
        *([_repairs("remapped rows", rows)] if rows else []),
        *([_repairs("retired pages", pages)] if pages and not rows else []),
    ]


def _is_partly_told(rows: Gpu, pages: Gpu) -> bool:
    """Return whether something that a verdict needs is missing from what the board has."""
    if rows:
        return rows["failure"] is None or rows["pending"] is None
    return None in (pages["corrected"], pages["uncorrected"], pages["pending"])


def _repairs(what: str, found: Mapping[str, Any]) -> str:
    counts = (found["corrected"], found["uncorrected"])
    corrected, uncorrected = ("?" if count is None else count for count in counts)
    return f"{what}: {corrected} for corrected, {uncorrected} for uncorrected errors"


def _unknown_repairs(check: HardwareCheck, which: dict[str, str], reason: str) -> Finding:
    return check.finding(
        "unknown", which, None, "none", evidence=f"memory repairs: {reason}", action=check.action
    )


def margins(which: Mapping[str, Any]) -> list[tuple[str, float, float]]:
    """Return what is known of (sensor, temperature, its limit), in °C."""
    pairs = (
        ("GPU", which.get("gpu_c"), which.get("slowdown_c")),
        ("memory", which.get("memory_c"), which.get("memory_max_c")),
    )
    return [
        (sensor, now, limit)
        for sensor, now, limit in pairs
        if now is not None and limit is not None
    ]


def judge_margins(
    check: HardwareCheck, which: dict[str, str], known: list[tuple[str, float, float]], reason: str
) -> Finding:
    """Return warn where a sensor is within 5 °C of its limit; unknown without any sensor.

    Args:
        check: The check.
        which: The GPU.
        known: From `margins`.
        reason: Why there is none.
    """
    if not known:
        return check.finding(
            "unknown", which, None, MARGIN_C, unit="°C", evidence=reason, action=check.action
        )
    least = min(limit - now for _, now, limit in known)
    shown = ", ".join(f"{sensor} {now:g} of {limit:g} °C" for sensor, now, limit in known)
    return check.finding(
        "pass" if least >= MARGIN_C else "warn",
        which,
        least,
        MARGIN_C,
        unit="°C",
        evidence=shown,
        action=f"See to the cooling of {named(which)}: inlet temperature, fans, blanking panels, "
        "dust; then its heat sink.",
    )


def _temperature(check: HardwareCheck, facts: Facts, _wanted: Requirements) -> list[Finding]:
    def judge(_gpu: Gpu, nvml: Gpu, which: dict[str, str]) -> Finding:
        reason = f"temperature and its limit: {why_null(nvml, 'temperature.gpu_c')}"
        finding = judge_margins(check, which, margins(nvml["temperature"]), reason)
        failed = [field for field in unread(nvml) if field.startswith("temperature.")]
        if finding["status"] != "pass" or not failed:
            return finding
        return judge_margins(check, which, [], f"{failed[0]}: {why_null(nvml, failed[0])}")

    return each_listed(check, facts, judge, MARGIN_C)


def _clocks(check: HardwareCheck, facts: Facts, _wanted: Requirements) -> list[Finding]:
    def judge(_gpu: Gpu, nvml: Gpu, which: dict[str, str]) -> Finding:
        reasons = nvml["clocks_event_reasons"]
        found = [reason for reason in reasons or [] if reason in SLOWDOWNS]
        if reasons is None or (not found and "clocks_event_reasons" in unread(nvml)):
            return check.finding(
                "unknown",
                which,
                None,
                [],
                evidence=f"event reasons: {why_null(nvml, 'clocks_event_reasons')}",
                action=check.action,
            )
        return check.finding(
            "warn" if found else "pass",
            which,
            found,
            [],
            evidence=f"clocks are lowered now for: {', '.join(reasons) or 'nothing'}",
            action=f"Look at power cables, power supplies and cooling of {named(which)}; the "
            "benchmark shows what it does under load (gpu.throttle).",
        )

    return each_listed(check, facts, judge, [])


def _idle(check: HardwareCheck, facts: Facts, _wanted: Requirements) -> list[Finding]:
    def judge(_gpu: Gpu, nvml: Gpu, which: dict[str, str]) -> Finding:
        processes, used = nvml["processes"], number(nvml["memory_used_bytes"])
        allowed = IDLE_MIG_MEMORY_BYTES if nvml["mig"] else IDLE_MEMORY_BYTES
        expected = allowed // MIB
        mib = None if used is None else round(used / MIB, 1)
        running = [str(process["pid"]) for process in processes or []]
        full = used is not None and used > allowed
        if not running and not full and (processes is None or used is None):
            field = "processes" if processes is None else "memory_used_bytes"
            return check.finding(
                "unknown",
                which,
                None,
                expected,
                unit="MiB",
                evidence=f"{field}: {why_null(nvml, field)}",
                action=check.action,
            )
        drawing = nvml.get("drawing") or []
        return check.finding(
            "warn" if running or full else "pass",
            which,
            mib,
            expected,
            unit="MiB",
            evidence=f"{'?' if mib is None else mib} MiB are used, by {_users(running, drawing)}",
            action=_free(which, running, drawing),
        )

    return each_listed(check, facts, judge, IDLE_MEMORY_BYTES // MIB)


def _users(running: list[str], drawing: list[Mapping[str, Any]]) -> str:
    shown = [
        *([f"the processes {', '.join(running)}"] if running else []),
        *(f"{one['name'] or 'a program'} ({one['pid']}), which draws" for one in drawing),
    ]
    return " and ".join(shown) or "no process"


def _free(which: dict[str, str], running: list[str], drawing: list[Mapping[str, Any]]) -> str:
    """Return how to get a GPU's memory back."""
    if running:
        return f"End what uses {named(which)} (`ps -fp {' '.join(running)}`)."
    if drawing:
        pids = " ".join(str(one["pid"]) for one in drawing)
        return (
            f"A display server uses {named(which)} (`ps -fp {pids}`): a node that computes needs "
            "none (`systemctl set-default multi-user.target`, then reboot)."
        )
    return (
        f"Memory of {named(which)} is held by no process: reset it (`nvidia-smi -r -i "
        f"{which['bdf']}`) when the node is idle."
    )


GPU_HEALTH_CHECKS = (
    HardwareCheck(
        id="gpu.xid",
        title="GPU and NVSwitch faults since boot (Xid, SXid)",
        section="gpu",
        requires=ANY_GPU,
        probes=("gpus", "kernel_log"),
        part="gpu",
        source="journalctl -k -b; dmesg",
        threshold="by NVIDIA's catalogue: an Xid that needs a reboot (79, 151) or a reset (46, "
        "48, 62, 64, 74, 95, 109, 110, 119, 120, 136, 140, 143, 150, 155, 156, 158 and more), a "
        "fatal one of NVLink (144 to 150) or of a code that is not classed, a fatal SXid, and 54 "
        "(cables) fail; an application's, one to watch, a code not in the table and a log without "
        "its beginning warn; 63 and 92 are information; what Xid 154 says overrides what came "
        "before it",
        threshold_source="NVIDIA, Xid Errors, the catalogue of December 2026, and the driver's own "
        "word, fatal or nonfatal",
        severity="fail",
        action="Run `journalctl -k -b -g Xid` as root on the node, or `dmesg`.",
        judge=_xid,
    ),
    HardwareCheck(
        id="gpu.ecc_errors",
        title="Uncorrected memory errors of the GPUs",
        section="gpu",
        requires=ANY_GPU,
        probes=("gpus",),
        part="gpu",
        source=_NVML,
        threshold="no uncorrected error since the driver was loaded, and the SRAM threshold flag "
        "is not set",
        threshold_source="NVIDIA, GPU Memory Error Management: an uncorrected error needs a reset, "
        "the flag a replacement",
        severity="fail",
        action="Run `nvidia-smi -q -d ECC` on the node.",
        judge=_ecc_errors,
    ),
    HardwareCheck(
        id="gpu.row_remap",
        title="Repairs of the GPUs' memory",
        section="gpu",
        requires=ANY_GPU,
        probes=("gpus",),
        part="gpu",
        source=_NVML,
        threshold="no row remapping failed or is pending, no repair of a channel, processor or "
        "bank is pending, and no memory is unrepairable; on V100 and older fewer than 60 retired "
        "pages and none pending",
        threshold_source="NVIDIA, GPU Memory Error Management: a failed remapping is the criterion "
        "for a replacement, a pending one needs a reset; a board can retire 64 pages, and 60 is "
        "our proposal, to be calibrated",
        severity="fail",
        action="Run `nvidia-smi -q -d ROW_REMAPPER,PAGE_RETIREMENT` on the node.",
        judge=_row_remap,
    ),
    HardwareCheck(
        id="gpu.temperature",
        title="Temperature of the GPUs, idle",
        section="gpu",
        requires=ANY_GPU,
        probes=("gpus",),
        part="gpu",
        source=_NVML,
        threshold="GPU and memory at least 5 °C below the limits at which they slow down",
        threshold_source="our proposal, to be calibrated; the limits are the board's own",
        severity="warn",
        action="Run `nvidia-smi -q -d TEMPERATURE` on the node.",
        judge=_temperature,
    ),
    HardwareCheck(
        id="gpu.clocks",
        title="Lowered clocks of the GPUs, idle",
        section="gpu",
        requires=ANY_GPU,
        probes=("gpus",),
        part="gpu",
        source=f"{_NVML}: clocks event reasons, bit by bit",
        threshold="none of 0x08, 0x20, 0x40, 0x80 (slowdown by heat, power brake or software); "
        "only a hint: gpu.throttle judges under load",
        threshold_source="nvml.h, nvmlClocksEventReason*",
        severity="warn",
        action="Run `nvidia-smi -q -d PERFORMANCE` on the node.",
        judge=_clocks,
    ),
    HardwareCheck(
        id="gpu.idle",
        title="Nobody uses the GPUs",
        section="gpu",
        requires=ANY_GPU,
        probes=("gpus",),
        part="gpu",
        source=_NVML,
        threshold="no process, and at most 15 MiB used beside what the driver reserves for itself; "
        "239 MiB where MIG is on, as each instance holds some; a display server that holds more is "
        "named",
        threshold_source="our proposal, to be calibrated: an idle GPU holds a few MiB",
        severity="warn",
        action="Run `nvidia-smi` on the node.",
        judge=_idle,
    ),
)
