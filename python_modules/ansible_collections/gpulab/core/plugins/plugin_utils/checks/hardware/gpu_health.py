"""Checks of the GPUs' health: kernel log, temperature, clocks, and who uses them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....module_utils.hardware.gpu_facts import MIB
from ....module_utils.hardware.xid import worst
from ..finding import Facts, Finding, HardwareCheck, Requirements, number, part
from ..specs import ANY_GPU
from .gpu_parts import Gpu, each_listed, named, on_bus, part_of, unread, why_null

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
        hidden = processes is None or "processes" in unread(nvml)
        if not running and not full and (hidden or used is None):
            field = "processes" if hidden else "memory_used_bytes"
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
