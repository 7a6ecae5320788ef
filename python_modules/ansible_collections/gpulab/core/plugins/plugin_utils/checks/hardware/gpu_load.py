"""Checks of the GPUs under load: what the benchmark sampled while it trained.

They judge the section ``telemetry`` of the benchmark's document, not the facts of hardware_info:
an idle GPU trains its PCIe link down, keeps cool and lowers its clocks, so only load decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ..finding import DECLARED, Facts, Finding, HardwareCheck, Requirements, number, part
from ..specs import ANY_GPU
from .gpu_health import MARGIN_C, judge_margins, margins
from .gpu_links import nvlinks_expected
from .gpu_parts import Gpu, named, on_bus

_SAMPLED = "NVML or nvidia-smi, sampled while the benchmark trained"
# Bits 0x08, 0x40 and 0x80: the hardware protects itself; 0x20: the driver does.
_HARDWARE = ("hw_slowdown", "hw_thermal_slowdown", "hw_power_brake_slowdown")
_SOFTWARE = "sw_thermal_slowdown"
# A GPU that works hard reaches most of its clock, also at its power cap; the one of the known case
# ran at 510 of 1755 MHz.
CLOCK_SHARE_MIN = 0.5
IDLE_SHARE_MAX = 0.5
_RERUN = "Run `ansible-playbook site.yml --tags benchmark` for this node again, on all its GPUs."

Sample = Mapping[str, Any]
JudgeSample = Callable[[Sample, dict[str, str]], "Finding | None"]


def verify_load(
    telemetry: Mapping[str, Any] | None,
    facts_of_bus: Sequence[Mapping[str, Any]] | None,
    spec: Mapping[str, Any],
) -> list[Finding]:
    """Judge what was sampled under load; empty where the spec asks nothing of GPUs.

    Args:
        telemetry: The benchmark's section of that name; None where it wrote none.
        facts_of_bus: ``gpus`` of hardware_info; None where the bus could not be read. Then the
            sampled GPUs are judged alone.
        spec: As resolve_spec returns it.
    """
    wanted = spec.get("gpu", {})
    facts = {"gpu_load": telemetry or {}, "gpus": facts_of_bus}
    findings: list[Finding] = []
    for check in LOAD_CHECKS:
        if any(key in wanted for key in check.requires):
            findings += check.judge(check, facts, wanted)
    return findings


def _each_sampled(check: HardwareCheck, facts: Facts, judge: JudgeSample) -> list[Finding]:
    """Judge every sampled GPU; those on the bus that were not sampled are unknown together."""
    telemetry = facts["gpu_load"]
    samples = {one.get("bdf"): one for one in telemetry.get("gpus") or [] if one.get("samples")}
    bus = None if facts["gpus"] is None else {gpu.get("bdf"): gpu for gpu in on_bus(facts)}
    findings = []
    for bdf, sample in samples.items():
        finding = judge(sample, _part_of(sample, (bus or {}).get(bdf, {})))
        if finding is not None:
            findings.append(finding)
    missing = [str(bdf) for bdf in bus or {} if bdf not in samples]
    if missing or (bus is None and not samples):
        reason = telemetry.get("reason") or "the benchmark did not sample it"
        findings.append(
            check.finding(
                "unknown",
                part("gpu", "GPUs not sampled", bdf=missing[0] if len(missing) == 1 else ""),
                None,
                None,
                evidence=f"no sample of {', '.join(missing) or 'any GPU'}: {reason}",
                action=check.action,
            )
        )
    return findings


def _part_of(sample: Sample, gpu: Gpu) -> dict[str, str]:
    uuid = sample.get("uuid") or ""
    return part(
        "gpu",
        sample.get("name"),
        serial=sample.get("serial") or uuid,
        bdf=sample.get("bdf"),
        slot=gpu.get("slot"),
        uuid=uuid,
    )


def _idle_share(sample: Sample) -> float:
    """Return the share of samples in which the GPU was idle: 1 is a GPU without any load."""
    reasons = sample.get("event_reasons") or {}
    return float(reasons.get("gpu_idle", 0) / sample["samples"])


def _was_idle(sample: Sample) -> bool:
    return _idle_share(sample) >= 1


def _unknown(
    check: HardwareCheck, which: dict[str, str], expected: object, evidence: str, unit: str = ""
) -> Finding:
    return check.finding(
        "unknown", which, None, expected, unit=unit, evidence=evidence, action=check.action
    )


def _throttle(check: HardwareCheck, facts: Facts, _wanted: Requirements) -> list[Finding]:
    def judge(sample: Sample, which: dict[str, str]) -> Finding:
        reasons, clock = sample.get("event_reasons"), sample.get("sm_clock_mhz") or {}
        median, most = number(clock.get("median")), number(sample.get("sm_clock_max_mhz"))
        if reasons is None:
            return _unknown(check, which, [], "event reasons could not be sampled")
        hardware = [reason for reason in _HARDWARE if reasons.get(reason)]
        software = [_SOFTWARE] if reasons.get(_SOFTWARE) else []
        slow = median is not None and bool(most) and median < CLOCK_SHARE_MIN * (most or 0)
        evidence = ", ".join(
            f"{reason} in {count} of {sample['samples']} samples"
            for reason, count in sorted(reasons.items())
            if count
        )
        evidence = f"{evidence or 'no event reason'}; SM clock {_mhz(median)} of {_mhz(most)} MHz"
        if not hardware:
            # A median clock over samples most of which are idle says nothing of the load.
            if _was_idle(sample) or (slow and _idle_share(sample) > IDLE_SHARE_MAX):
                return _unknown(check, which, [], f"the GPU was idle: {evidence}")
            if median is None or most is None:
                return _unknown(check, which, [], f"the SM clock was not sampled: {evidence}")
        failed = bool(hardware or slow)
        found = [*hardware, *software, *(["low clock"] if slow and not hardware else [])]
        return check.finding(
            "fail" if failed else "warn" if software else "pass",
            which,
            found,
            [],
            evidence=evidence,
            action=f"Check the power cables and supplies and the cooling of {named(which)} (fans, "
            "inlet, heat sink), and that no clock is locked low (node_gpu.clocks_mhz); if it stays "
            "with all of these good, replace the GPU.",
            severity="warn" if software and not failed else "",
        )

    return _each_sampled(check, facts, judge)


def _mhz(clock: float | None) -> str:
    return "?" if clock is None else f"{clock:g}"


def _link(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    def judge(sample: Sample, which: dict[str, str]) -> Finding:
        link = sample.get("link") or {}
        width, generation = number(link.get("width")), number(link.get("generation"))
        expected_width = wanted.get("link_width", link.get("width_max"))
        expected_generation = wanted.get("link_generation", link.get("generation_max"))
        expected = f"x{expected_width} generation {expected_generation}"
        # What is known to be low is, whether the other half could be sampled or not.
        low = _is_below(width, expected_width) or _is_below(generation, expected_generation)
        if not low and not (width and generation and expected_width and expected_generation):
            return _unknown(check, which, None, "the PCIe link could not be sampled")
        found = f"x{_known(width)} generation {_known(generation)}"
        evidence = f"highest link seen under load: {found}; needed: {expected}"
        if low and _was_idle(sample):
            return _unknown(check, which, expected, f"the GPU was idle: {evidence}")
        return check.finding(
            "fail" if low else "pass",
            which,
            found,
            expected,
            evidence=evidence,
            action=f"Reseat {named(which)} and its riser, try another slot; then see in the BIOS "
            "whether the slot is bifurcated or its generation is capped.",
        )

    return _each_sampled(check, facts, judge)


def _is_below(value: float | None, limit: float | None) -> bool:
    """Return whether both are known, and the value is below its limit."""
    return bool(value and limit and value < limit)


def _known(value: float | None) -> str:
    return f"{value:g}" if value else "?"


def _nvlink_errors(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    def judge(sample: Sample, which: dict[str, str]) -> Finding | None:
        counters = sample.get("nvlink_errors")
        expected = nvlinks_expected(sample.get("name"), wanted)
        if counters is None:
            unread = _unknown(check, which, 0, "NVLink counters could not be sampled", "errors")
            return unread if expected else None
        before, after = counters.get("before") or {}, counters.get("after") or {}
        grown = {link: after[link] - before[link] for link in after if link in before}
        # Errors that grew are errors, whether all links could be sampled or not.
        errors = sum(count for count in grown.values() if count > 0)
        if not errors and (set(before) != set(after) or (expected and len(after) != expected)):
            evidence = f"counters of {len(before)} links before and {len(after)} after the load"
            return _unknown(check, which, 0, evidence, "errors")
        if not errors and any(count < 0 for count in grown.values()):
            return _unknown(check, which, 0, "the counters were reset under load", "errors")
        if not errors and _was_idle(sample):
            return _unknown(check, which, 0, "the GPU was idle: no traffic on its links", "errors")
        bad = ", ".join(f"link {link}: {count}" for link, count in grown.items() if count > 0)
        return check.finding(
            "fail" if errors else "pass",
            which,
            errors,
            0,
            unit="errors",
            evidence=f"new errors under load: {bad or f'none on {len(after)} links'}",
            action=f"Reseat {named(which)} or its NVLink bridge; if the same link errs again, "
            "replace the GPU, then the baseboard.",
        )

    return _each_sampled(check, facts, judge)


def _temperature(check: HardwareCheck, facts: Facts, _wanted: Requirements) -> list[Finding]:
    def judge(sample: Sample, which: dict[str, str]) -> Finding:
        known = margins(
            {
                "gpu_c": number(sample.get("temperature_c")),
                "slowdown_c": number(sample.get("slowdown_c")),
                "memory_c": number(sample.get("memory_temperature_c")),
                "memory_max_c": number(sample.get("memory_max_c")),
            }
        )
        reason = "temperature or its limit could not be sampled"
        finding = judge_margins(check, which, known, reason)
        if finding["status"] == "pass" and _was_idle(sample):
            evidence = f"the GPU was idle: {finding['evidence']}"
            return _unknown(check, which, MARGIN_C, evidence, "°C")
        return finding

    return _each_sampled(check, facts, judge)


LOAD_CHECKS = (
    HardwareCheck(
        id="gpu.throttle",
        title="Lowered clocks of the GPUs under load",
        section="gpu",
        requires=ANY_GPU,
        probes=("gpu_load",),
        part="gpu",
        source=f"{_SAMPLED}: clocks event reasons, bit by bit, and the SM clock",
        threshold="no sample with 0x08, 0x40 or 0x80 (the hardware slows down), and a median SM "
        "clock of at least half of the maximum; 0x20 (the driver slows down for heat) warns, 0x04 "
        "(power cap) is normal",
        threshold_source="nvml.h, nvmlClocksEventReason*; half of the clock is our proposal, to be "
        "calibrated",
        severity="fail",
        action=_RERUN,
        judge=_throttle,
    ),
    HardwareCheck(
        id="gpu.link_load",
        title="PCIe link of the GPUs under load",
        section="gpu",
        requires=ANY_GPU,
        probes=("gpu_load",),
        part="gpu",
        source=_SAMPLED,
        threshold="at least `gpu.link_width` and `gpu.link_generation`, or what board and slot can "
        "do",
        threshold_source=f"{DECLARED}, or the board's own maximum",
        severity="fail",
        action=_RERUN,
        judge=_link,
    ),
    HardwareCheck(
        id="gpu.nvlink_errors",
        title="NVLink errors under load",
        section="gpu",
        requires=ANY_GPU,
        probes=("gpu_load",),
        part="gpu",
        source=f"{_SAMPLED}: error counters before and after",
        threshold="no counter of any link has grown",
        threshold_source="a healthy link has none in the minutes of a benchmark",
        severity="fail",
        action=_RERUN,
        judge=_nvlink_errors,
    ),
    HardwareCheck(
        id="gpu.temperature_load",
        title="Temperature of the GPUs under load",
        section="gpu",
        requires=ANY_GPU,
        probes=("gpu_load",),
        part="gpu",
        source=_SAMPLED,
        threshold="GPU and memory at least 5 °C below the limits at which they slow down",
        threshold_source="our proposal, to be calibrated; the limits are the board's own",
        severity="warn",
        action=_RERUN,
        judge=_temperature,
    ),
)
