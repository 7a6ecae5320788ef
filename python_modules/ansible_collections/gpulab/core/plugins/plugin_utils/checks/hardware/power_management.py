"""Checks of the processors' frequency governor and of the kernel's clock source."""

from __future__ import annotations

from ..finding import DECLARED, Facts, Finding, HardwareCheck, Requirements, part


def _governor(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    expected = wanted["governor"]
    governors = facts["power_management"].get("governors")
    which = part("cpu", (facts.get("cpu") or {}).get("model"))
    if not isinstance(governors, dict) or not governors:
        evidence = "the kernel does not choose the clock rate here (no cpufreq)"
        return [
            check.finding("unknown", which, None, expected, evidence=evidence, action=check.action)
        ]
    counts = ", ".join(f"{name} on {count}" for name, count in sorted(governors.items()))
    others = sorted(name for name in governors if name != expected)
    return [
        check.finding(
            "warn" if others else "pass",
            which,
            " ".join(others) or expected,
            expected,
            evidence=f"processors by governor: {counts}",
            action=f"Set it on every processor: `cpupower frequency-set -g {expected}`, and at "
            "boot by tuned or a unit of your own.",
        )
    ]


def _clocksource(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    expected = wanted["clocksources"]
    observed = facts["power_management"].get("clocksource")
    known = ", ".join(facts["power_management"].get("clocksources") or []) or "none"
    status = "unknown" if not observed else "pass" if observed in expected else "warn"
    return [
        check.finding(
            status,
            part("clock", "clock source"),
            observed,
            expected,
            evidence=f"the kernel reads the time from {observed or 'an unknown source'}; "
            f"it could from: {known}",
            action=check.action
            if status == "unknown"
            else "Look for why the kernel gave up the faster one (`dmesg | grep -i -e tsc -e "
            "clocksource`): often firmware that lets the processors' counters drift; update it.",
        )
    ]


POWER_MANAGEMENT_CHECKS = (
    HardwareCheck(
        id="cpu.governor",
        title="Frequency governor",
        section="cpu",
        requires=("governor",),
        probes=("power_management",),
        part="cpu",
        source="/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
        threshold="`cpu.governor` on every processor",
        threshold_source=DECLARED + "; `performance` keeps the clock rate up between the short "
        "bursts of work that launch GPU kernels",
        severity="warn",
        action="Allow the operating system to control performance states in the firmware, or take "
        "`cpu.governor` out of the spec: a virtual machine has none.",
        judge=_governor,
    ),
    HardwareCheck(
        id="cpu.clocksource",
        title="Clock source of the kernel",
        section="cpu",
        requires=("clocksources",),
        probes=("power_management",),
        part="clock",
        source="/sys/devices/system/clocksource/clocksource0",
        threshold="one of `cpu.clocksources`",
        threshold_source=DECLARED + "; `tsc` on x86, `arch_sys_counter` on ARM, `kvm-clock` or "
        "`hyperv_clocksource_tsc_page` in a virtual machine are read by the processor itself, "
        "`hpet` and `acpi_pm` from a device, for which every reading of the time has to wait",
        severity="warn",
        action="Read /sys/devices/system/clocksource/clocksource0/current_clocksource.",
        judge=_clocksource,
    ),
)
