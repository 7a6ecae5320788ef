"""Checks of the GPUs' health: kernel log, memory errors, temperature, clocks, and who uses them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....module_utils.hardware.gpu_facts import MIB
from ....module_utils.hardware.xid import worst
from ..finding import Facts, Finding, HardwareCheck, Requirements, number, part
from ..gpu_models import DATA_CENTRE, is_model
from ..specs import ANY_GPU
from .gpu_parts import Gpu, each_listed, is_unsupported, named, on_bus, part_of, why_null

# Event reasons that lower the clocks for heat or for want of power (bits 0x08, 0x20, 0x40, 0x80).
SLOWDOWNS = (
    "hw_slowdown",
    "hw_thermal_slowdown",
    "hw_power_brake_slowdown",
    "sw_thermal_slowdown",
)
MARGIN_C = 5
IDLE_MEMORY_BYTES = 15 * MIB
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
    shown = "; ".join(
        f"{'Xid' if event['kind'] == 'xid' else 'SXid'} {event['code']}"
        + (f" {event['count']} times" if event["count"] > 1 else "")
        + (f": {event['text']}" if event["text"] else "")
        for event in events[-3:]
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
        total = errors["aggregate_uncorrected"]
        if count is None:
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
        said = {True: "exceeded", False: "not exceeded", None: "not told"}[exceeded]
        return check.finding(
            "fail" if count or exceeded else "pass",
            which,
            count,
            0,
            unit="errors",
            evidence=f"uncorrected memory errors: {count} since the driver was loaded, "
            f"{'?' if total is None else total} in its life; SRAM threshold {said}",
            action=f"Replace {named(which)}: its SRAM has used up its error threshold."
            if exceeded
            else f"Drain the node and reset {named(which)}, then run this again; if errors come "
            "again, replace it.",
        )

    return each_listed(check, facts, judge, 0)


def _has_ecc(nvml: Gpu) -> bool:
    """Return whether this model has ECC, so that counters it does not tell are missing."""
    return nvml["ecc"] is True or is_model(nvml["name"] or "", DATA_CENTRE)


def _row_remap(check: HardwareCheck, facts: Facts, _wanted: Requirements) -> list[Finding]:
    def judge(_gpu: Gpu, nvml: Gpu, which: dict[str, str]) -> Finding | None:
        rows, pages = nvml["remapped_rows"], nvml["retired_pages"]
        if rows is None and pages is None:
            absent = is_unsupported(nvml, "remapped_rows") and is_unsupported(nvml, "retired_pages")
            if absent and not _has_ecc(nvml):
                return None
            return _unknown_repairs(check, which, why_null(nvml, "remapped_rows"))
        found = rows if rows is not None else pages
        pending = found["pending"]
        if rows is not None:
            spent = rows["failure"]
            evidence = "a row could not be remapped" if spent else _repairs("remapped rows", rows)
        else:
            retired = (pages["corrected"] or 0) + (pages["uncorrected"] or 0)
            spent = retired >= RETIRED_PAGES_MAX
            evidence = _repairs("retired pages", pages)
        if spent is None or (pending is None and not spent):
            return _unknown_repairs(check, which, why_null(nvml, "remapped_rows"))
        return check.finding(
            "fail" if spent or pending else "pass",
            which,
            "failure" if spent else "pending" if pending else "none",
            "none",
            evidence=evidence + (", a repair is pending" if pending else ""),
            action=f"Replace {named(which)}: its memory has no spare left for the bad part."
            if spent
            else f"Drain the node and reset {named(which)}, so that the repair takes effect, then "
            "run this again.",
        )

    return each_listed(check, facts, judge, "none")


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
        return judge_margins(check, which, margins(nvml["temperature"]), reason)

    return each_listed(check, facts, judge, MARGIN_C)


def _clocks(check: HardwareCheck, facts: Facts, _wanted: Requirements) -> list[Finding]:
    def judge(_gpu: Gpu, nvml: Gpu, which: dict[str, str]) -> Finding:
        reasons = nvml["clocks_event_reasons"]
        if reasons is None:
            return check.finding(
                "unknown",
                which,
                None,
                [],
                evidence=f"event reasons: {why_null(nvml, 'clocks_event_reasons')}",
                action=check.action,
            )
        found = [reason for reason in reasons if reason in SLOWDOWNS]
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
        expected = IDLE_MEMORY_BYTES // MIB
        mib = None if used is None else round(used / MIB, 1)
        running = [str(process["pid"]) for process in processes or []]
        if not running and (processes is None or used is None):
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
        busy = bool(running) or used is None or used > IDLE_MEMORY_BYTES
        return check.finding(
            "warn" if busy else "pass",
            which,
            mib,
            expected,
            unit="MiB",
            evidence=f"{mib} MiB are used, by "
            + (f"the processes {', '.join(running)}" if running else "no process"),
            action=f"End what uses {named(which)} (`ps -fp {' '.join(running)}`)."
            if running
            else f"Memory of {named(which)} is held by no process: reset it (`nvidia-smi -r -i "
            f"{which['bdf']}`) when the node is idle.",
        )

    return each_listed(check, facts, judge, IDLE_MEMORY_BYTES // MIB)


GPU_HEALTH_CHECKS = (
    HardwareCheck(
        id="gpu.xid",
        title="GPU and NVSwitch faults since boot (Xid, SXid)",
        section="gpu",
        requires=ANY_GPU,
        probes=("gpus", "kernel_log"),
        part="gpu",
        source="journalctl -k -b; dmesg",
        threshold="Xid 79 needs a reboot, 48, 64, 95, 109, 119, 120 and a fatal SXid a reset, 54 a "
        "look at the cables: these fail; 13, 31, 94 (an application's), codes not in the table and "
        "a log without its beginning warn; 63 and 92 are information; what Xid 154 says overrides "
        "what came before it",
        threshold_source="NVIDIA, Xid Errors; for SXid the switch's own word, fatal or non-fatal",
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
        threshold="no row remapping failed or is pending; on V100 and older fewer than 60 retired "
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
        threshold="no process, and at most 15 MiB used beside what the driver reserves for itself",
        threshold_source="our proposal, to be calibrated: an idle GPU holds a few MiB",
        severity="warn",
        action="Run `nvidia-smi` on the node.",
        judge=_idle,
    ),
)
