"""Checks of processor and memory."""

from __future__ import annotations

from functools import partial

from ..finding import (
    DECLARED,
    GIB,
    Facts,
    Finding,
    HardwareCheck,
    Requirements,
    at_least,
    number,
    part,
)

# Firmware, the crash kernel and the kernel itself keep a share of the installed memory.
MEMORY_TOLERANCE = 0.05
_CPU_SOURCE = "/sys/devices/system/cpu, /proc/cpuinfo"


def _architecture(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    observed = facts["cpu"].get("architecture") or None
    expected = wanted["architecture"]
    status = "unknown" if observed is None else "pass" if observed == expected else "fail"
    return [
        check.finding(
            status,
            part("cpu", facts["cpu"].get("model")),
            observed,
            expected,
            evidence=f"the kernel runs on {observed or 'an unknown architecture'}",
            action="Put this machine into a group with a spec for its architecture.",
        )
    ]


def _cpu_count(
    fact: str,
    requirement: str,
    action: str,
    check: HardwareCheck,
    facts: Facts,
    wanted: Requirements,
) -> list[Finding]:
    cpu = facts["cpu"]
    observed = number(cpu.get(fact))
    counts = (f"{name} {cpu.get(name)}" for name in ("sockets", "cores", "threads", "numa_nodes"))
    return [
        at_least(
            check,
            part("cpu", cpu.get("model")),
            observed,
            wanted[requirement],
            evidence=", ".join(counts).replace("_", " "),
            action=action,
        )
    ]


def _memory(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    total = number(facts["memory"].get("total_bytes"))
    gib = None if total is None else round(total / GIB, 2)
    expected = wanted["gib_min"]
    return [
        at_least(
            check,
            part("memory", "main memory"),
            gib,
            expected,
            floor=expected * (1 - MEMORY_TOLERANCE),
            unit="GiB",
            evidence=f"MemTotal is {gib} GiB of {expected} GiB declared",
            action="A DIMM is missing, disabled or failed: compare the firmware's memory page with "
            "the DIMMs fitted, reseat or replace the one that is not listed.",
        )
    ]


COMPUTE_CHECKS = (
    HardwareCheck(
        id="cpu.architecture",
        title="Processor architecture",
        section="cpu",
        requires=("architecture",),
        probes=("cpu",),
        part="cpu",
        source="uname",
        threshold="equal to `cpu.architecture`",
        threshold_source=DECLARED,
        severity="fail",
        action="Run `uname -m` on the node.",
        judge=_architecture,
    ),
    HardwareCheck(
        id="cpu.sockets",
        title="Processors fitted",
        section="cpu",
        requires=("sockets_min",),
        probes=("cpu",),
        part="cpu",
        source=_CPU_SOURCE,
        threshold="at least `cpu.sockets_min`",
        threshold_source=DECLARED,
        severity="fail",
        action="Run `lscpu` on the node; if it fails too, look at the kernel's log.",
        judge=partial(
            _cpu_count,
            "sockets",
            "sockets_min",
            "Check in the firmware that every processor is detected; reseat the missing one.",
        ),
    ),
    HardwareCheck(
        id="cpu.cores",
        title="Physical cores online",
        section="cpu",
        requires=("cores_min",),
        probes=("cpu",),
        part="cpu",
        source=_CPU_SOURCE,
        threshold="at least `cpu.cores_min`",
        threshold_source=DECLARED,
        severity="fail",
        action="Run `lscpu` on the node; if it fails too, look at the kernel's log.",
        judge=partial(
            _cpu_count,
            "cores",
            "cores_min",
            "Compare with the processor's data sheet: look for cores disabled in the firmware, "
            "taken offline, or excluded on the kernel's command line (maxcpus, nr_cpus).",
        ),
    ),
    HardwareCheck(
        id="cpu.numa",
        title="NUMA nodes",
        section="cpu",
        requires=("numa_nodes_min",),
        probes=("cpu",),
        part="cpu",
        source="/sys/devices/system/node",
        threshold="at least `cpu.numa_nodes_min`",
        threshold_source=DECLARED,
        severity="fail",
        action="Run `lscpu` on the node; if it fails too, look at the kernel's log.",
        judge=partial(
            _cpu_count,
            "numa_nodes",
            "numa_nodes_min",
            "Set NUMA (nodes per socket, no memory interleaving) in the firmware as declared.",
        ),
    ),
    HardwareCheck(
        id="memory.size",
        title="Main memory",
        section="memory",
        requires=("gib_min",),
        probes=("memory",),
        part="memory",
        source="/proc/meminfo",
        threshold="at least `memory.gib_min` less 5 %",
        threshold_source=DECLARED + "; firmware and kernel keep up to 5 % for themselves",
        severity="fail",
        action="Run `free -b` on the node.",
        judge=_memory,
    ),
)
