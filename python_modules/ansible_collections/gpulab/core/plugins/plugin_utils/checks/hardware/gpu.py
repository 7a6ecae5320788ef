"""Checks of the GPUs: what the bus shows, what it is, and whether the driver can use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ....module_utils.gpu_software.boot import FOREIGN_DRIVERS
from ....module_utils.hardware.nvidia import NO_DEVICE
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
from ..gpu_models import is_model
from ..specs import ANY_GPU
from .gpu_parts import Gpu, label, name_of, nvml_of, on_bus, part_of

# NVML's total is a little below the name on the box (a V100 "16GB" has 15.8 GiB), and on GDDR
# boards ECC takes one sixteenth more (an L40S "48GB" has 45.0 GiB).
GPU_MEMORY_TOLERANCE = 0.07
# What a spec that asks something of GPUs, but names no number, means.
_COUNT_MIN = 1
_NVML = "NVML"
_PCI = "/sys/bus/pci/devices/*/{vendor,class}"
_BY_HAND = (
    "Run `nvidia-smi` on the node; if it hangs or fails, look for Xid in `journalctl -k -g NVRM`."
)


def _count(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    found = on_bus(facts)
    exact = wanted.get("count")
    least = wanted.get("count_min", exact if exact is not None else _COUNT_MIN)
    wrong = len(found) < least or (exact is not None and len(found) != exact)
    listed = ", ".join(label(gpu, facts) for gpu in found) or "none"
    expected = least if exact is None else exact
    which = part("gpu", "NVIDIA GPUs")
    if wrong:
        missing = expected - len(found)
        which = part("gpu", f"{missing} missing" if missing > 0 else f"{-missing} undeclared")
    return [
        check.finding(
            "fail" if wrong else "pass",
            which,
            len(found),
            expected,
            evidence=f"on the PCI bus: {listed}",
            action="Compare the addresses and slots listed with those fitted: a GPU that is not on "
            "the bus has no power, is not seated, or is dead. Reseat it, check its power cables, "
            "swap it with a good one."
            if len(found) < expected
            else "Correct gpu.count in the spec, or take the extra GPU out.",
        )
    ]


def _model(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    models = wanted["models"]

    def judge(gpu: Gpu) -> Finding:
        name = name_of(gpu, facts)
        status = "unknown" if name is None else "pass" if is_model(name, models) else "fail"
        return check.finding(
            status,
            part_of(gpu, facts),
            name,
            models,
            evidence=label(gpu, facts),
            action=check.action
            if name is None
            else "Replace the GPU by a declared model, or add this one to gpu.models in the spec.",
        )

    return _each(check, facts, wanted, judge, models)


def _memory(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    expected = wanted["memory_gib_min"]

    def judge(gpu: Gpu) -> Finding:
        size = number(nvml_of(gpu, facts).get("memory_bytes"))
        gib = None if size is None else round(size / GIB, 2)
        return at_least(
            check,
            part_of(gpu, facts),
            gib,
            expected,
            floor=expected * (1 - GPU_MEMORY_TOLERANCE),
            unit="GiB",
            evidence=f"{label(gpu, facts)}: NVML's total is {gib} GiB",
            action="The wrong model is fitted, or part of its memory is disabled: compare the "
            "board's label with the spec.",
        )

    return _each(check, facts, wanted, judge, expected)


def _driver(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    def judge(gpu: Gpu) -> Finding:
        status, evidence, action = _driver_state(gpu, facts)
        return check.finding(
            status,
            part_of(gpu, facts),
            gpu.get("driver"),
            "nvidia",
            evidence=f"{label(gpu, facts)}: {evidence}",
            action=action,
        )

    return _each(check, facts, wanted, judge, "nvidia")


def _driver_state(gpu: Gpu, facts: Facts) -> tuple[str, str, str]:
    """Return status, evidence and action for the driver of one GPU."""
    nvidia = facts.get("nvidia")
    driver = gpu.get("driver")
    if driver in FOREIGN_DRIVERS:
        return (
            "fail",
            f"bound to {driver}",
            (
                f"Blacklist {FOREIGN_DRIVERS[driver]}, rebuild the initramfs, install NVIDIA's "
                "driver and reboot."
            ),
        )
    if driver not in (None, "nvidia"):
        return (
            "fail",
            f"bound to {driver}",
            f"Release the GPU from {driver} (a virtual machine's passthrough?) and reboot.",
        )
    if driver is None:
        message = (nvidia or {}).get("message") or "no driver is bound"
        return (
            "fail",
            message,
            (
                "Install NVIDIA's driver, or see in `journalctl -k -g 'NVRM|nvidia'` why the "
                "kernel refused it (Secure Boot, headers of another kernel, a module flavour that "
                "does not support this GPU)."
            ),
        )
    if not nvidia:
        reason = facts.get("probes", {}).get("nvidia", {}).get("reason", "")
        return ("unknown", reason or "the driver's state is unknown", _BY_HAND)
    return _loaded_state(str(gpu.get("bdf")), nvidia)


def _loaded_state(bdf: str, nvidia: Mapping[str, Any]) -> tuple[str, str, str]:
    module, library = nvidia.get("module_version"), nvidia.get("library_version")
    if module and library and module != library:
        return (
            "fail",
            f"the loaded module is {module}, the installed library is {library}",
            "Reboot, so that the installed version is loaded, and hold the driver's packages.",
        )
    if nvidia.get("gpus") is None:
        return (
            "unknown",
            nvidia.get("message") or "NVML was not asked",
            "Install the driver's utilities (nvidia-smi) in the version of the module.",
        )
    listed = [gpu.get("bdf") for gpu in nvidia["gpus"]]
    if bdf not in listed or bdf in (nvidia.get("lost") or []):
        return (
            "fail",
            f"on the PCI bus, but NVML does not list it ({len(listed)} listed)"
            + (f": {nvidia['message']}" if nvidia.get("message") else ""),
            (
                "The GPU fell off or its firmware does not start: look for Xid 79 and RmInit in "
                "`journalctl -k -g NVRM`, power the node off and on; if it stays, check seating "
                "and power cables, then replace the GPU."
            ),
        )
    return ("pass", f"NVIDIA driver {module or 'of unknown version'}, listed by NVML", "")


def _each(
    check: HardwareCheck,
    facts: Facts,
    wanted: Requirements,
    judge: Callable[[Gpu], Finding],
    expected: object,
) -> list[Finding]:
    """Judge every NVIDIA GPU on the bus; without any there is nothing to see."""
    found = on_bus(facts)
    if found:
        return [judge(gpu) for gpu in found]
    # A node may be declared to have none; what else its spec inherits then asks for nothing.
    none_declared = wanted.get("count") == 0
    return [
        check.finding(
            "pass" if none_declared else "unknown",
            part("gpu", "NVIDIA GPUs"),
            None,
            None if none_declared else expected,
            evidence=NO_DEVICE if check.id == "gpu.driver" else "no NVIDIA device on the PCI bus",
            action="First clear gpu.count.",
        )
    ]


GPU_CHECKS = (
    HardwareCheck(
        id="gpu.count",
        title="Number of GPUs on the PCI bus",
        section="gpu",
        requires=ANY_GPU,
        probes=("gpus",),
        part="gpu",
        source=_PCI,
        threshold="equal to `gpu.count`, or at least `gpu.count_min` (1 where both are absent)",
        threshold_source=DECLARED,
        severity="fail",
        action="Run `lspci -nn -d 10de:` on the node.",
        judge=_count,
    ),
    HardwareCheck(
        id="gpu.model",
        title="GPU model",
        section="gpu",
        requires=("models",),
        probes=("gpus",),
        part="gpu",
        source=f"{_NVML}; PCI ids where the driver can't be asked",
        threshold="the name has one of `gpu.models` in it, as whole words",
        threshold_source=DECLARED,
        severity="fail",
        action="Neither the driver nor the table of PCI ids names this GPU: make `nvidia-smi` work "
        "first (see gpu.driver).",
        judge=_model,
    ),
    HardwareCheck(
        id="gpu.memory",
        title="GPU memory",
        section="gpu",
        requires=("memory_gib_min",),
        probes=("gpus",),
        part="gpu",
        source=_NVML,
        threshold="at least `gpu.memory_gib_min` less 7 %",
        threshold_source=DECLARED + "; ECC takes up to 1/16 of GDDR, and the driver a little",
        severity="fail",
        action="NVML does not tell the memory: make `nvidia-smi` work first (see gpu.driver).",
        judge=_memory,
    ),
    HardwareCheck(
        id="gpu.driver",
        title="GPU driver",
        section="gpu",
        requires=ANY_GPU,
        probes=("gpus",),
        part="gpu",
        source=f"/sys/bus/pci/devices/*/driver, /proc/driver/nvidia/version, {_NVML}",
        threshold="NVIDIA's driver is bound to every GPU on the bus, module and library have one "
        "version, and NVML lists every GPU on the bus",
        threshold_source="a GPU that the bus shows and NVML does not is a driver fault or has "
        "failed",
        severity="fail",
        action=_BY_HAND,
        judge=_driver,
    ),
)
