"""Checks of how the GPUs are set up: power limit, versions, ECC, and containers."""

from __future__ import annotations

from typing import Callable

from ..finding import DECLARED, Facts, Finding, HardwareCheck, Requirements, number, part
from ..gpu_models import DATA_CENTRE, is_model
from ..specs import ANY_GPU
from .gpu_parts import Gpu, each_listed, is_unsupported, named, on_bus, why_null

# NVML tells milliwatts, nvidia-smi hundredths of a watt; boards round what they are set to.
_WATT = 1.0
Fits = Callable[[str, str], bool]


def _power_limit(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    declared = wanted.get("power_limit_w")

    def judge(_gpu: Gpu, nvml: Gpu, which: dict[str, str]) -> Finding | None:
        power = nvml["power"]
        limit = number(power["limit_w"])
        expected = number(power["limit_default_w"]) if declared is None else declared
        if limit is None or expected is None:
            field = "power.limit_w" if limit is None else "power.limit_default_w"
            if declared is None and is_unsupported(nvml, field):
                return None
            return check.finding(
                "unknown",
                which,
                None,
                expected,
                unit="W",
                evidence=f"power limit: {why_null(nvml, field)}",
                action=check.action,
            )
        return check.finding(
            "pass" if abs(limit - expected) <= _WATT else "fail",
            which,
            limit,
            expected,
            unit="W",
            evidence=f"{limit:g} W are enforced; the default is {power['limit_default_w']} W",
            action=f"Set the limit of {named(which)} (`nvidia-smi -pl {expected:g} -i "
            f"{which['bdf']}`), or declare it: node_gpu.power_limit_w.",
        )

    return each_listed(check, facts, judge, declared)


def _driver_version(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    found = facts["nvidia"]["module_version"]
    return _version(check, facts, found, wanted["driver_version"], "driver", _is_release)


def _cuda_version(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    found = facts["nvidia"]["cuda_version"]
    return _version(check, facts, found, wanted["cuda_version_min"], "CUDA", _is_new_enough)


def _is_release(found: str, wanted: str) -> bool:
    """Return whether a version is the wanted one, or of the wanted branch."""
    return found == wanted or found.startswith(f"{wanted}.")


def _is_new_enough(found: str, wanted: str) -> bool:
    return _numbers(found) >= _numbers(wanted)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".") if number.isdigit()]


def _version(
    check: HardwareCheck, facts: Facts, found: object, wanted: str, what: str, fits: Fits
) -> list[Finding]:
    if not on_bus(facts):
        return []
    known = isinstance(found, str) and bool(found)
    status = "unknown" if not known else "pass" if fits(str(found), wanted) else "fail"
    message = facts["nvidia"].get("message")
    return [
        check.finding(
            status,
            part("gpu", what),
            found if known else None,
            wanted,
            evidence=f"the driver is of {what} version {found}"
            if known
            else f"the driver tells no {what} version" + (f": {message}" if message else ""),
            action=check.action
            if not known
            else "Declare the version in lab_software.nvidia_driver and run `ansible-playbook "
            "site.yml --tags gpu`, or correct the spec.",
        )
    ]


def _vbios(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    versions = wanted["vbios_versions"]

    def judge(_gpu: Gpu, nvml: Gpu, which: dict[str, str]) -> Finding:
        found = nvml["vbios_version"]
        known = found is not None
        return check.finding(
            "unknown" if not known else "pass" if found in versions else "fail",
            which,
            found,
            versions,
            evidence=f"VBIOS {found}" if known else f"VBIOS: {why_null(nvml, 'vbios_version')}",
            action=f"Have the maker of the server flash {named(which)} with its released VBIOS, or "
            "add this one to gpu.vbios_versions in the spec."
            if known
            else check.action,
        )

    return each_listed(check, facts, judge, versions)


def _ecc_mode(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    declared = wanted.get("ecc")

    def judge(_gpu: Gpu, nvml: Gpu, which: dict[str, str]) -> Finding | None:
        expected = declared
        if expected is None:
            if not is_model(nvml["name"] or "", DATA_CENTRE):
                return None
            expected = True
        modes = (nvml["ecc"], nvml["ecc_pending"])
        # One mode that is known to be wrong is a fault, whether the other can be read or not.
        if None in modes and not set(modes) - {None, expected}:
            return check.finding(
                "unknown",
                which,
                None,
                expected,
                evidence=f"ECC mode: {why_null(nvml, 'ecc')}",
                action=check.action,
            )
        words = {True: "on", False: "off", None: "not told"}
        set_right = modes[1] == expected
        return check.finding(
            "pass" if modes == (expected, expected) else "fail",
            which,
            modes[0],
            expected,
            evidence=f"ECC is {words[modes[0]]}, and {words[modes[1]]} after the next reset",
            action=f"Reset {named(which)} or reboot the node: the mode is set and not active yet."
            if set_right
            else f"Declare node_gpu.ecc for {named(which)} (or `nvidia-smi -e {int(expected)} -i "
            f"{which['bdf']}`), then reboot.",
        )

    return each_listed(check, facts, judge, True if declared is None else declared)


def _container(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    if not wanted["containers"] or not on_bus(facts):
        return []
    found = facts["gpu_container"]
    problems, proved = found["problems"], found["proved"]
    status = "fail" if problems else "pass" if found["tried"] else "unknown"
    return [
        check.finding(
            status,
            part("gpu", "containers"),
            {"fail": False, "pass": True}.get(status),
            True,
            evidence="; ".join(problems or proved).replace("\n", " ")
            or "not tried: a sweep starts no container, and nothing does where the lab declares no "
            "lab_software.nvidia_container for the node",
            action="Run `ansible-playbook site.yml --tags gpu`, then `nvidia-ctk cdi list` on the "
            "node."
            if problems
            else check.action,
        )
    ]


GPU_SETTING_CHECKS = (
    HardwareCheck(
        id="gpu.power_limit",
        title="Power limit of the GPUs",
        section="gpu",
        requires=ANY_GPU,
        probes=("gpus",),
        part="gpu",
        source="NVML",
        threshold="the enforced limit is that of `node_gpu` or `gpu.power_limit_w`, or the board's "
        "default; 1 W is rounding",
        threshold_source=f"{DECLARED}, or the board's default",
        severity="fail",
        action="Run `nvidia-smi -q -d POWER` on the node.",
        judge=_power_limit,
    ),
    HardwareCheck(
        id="gpu.driver_version",
        title="Version of the GPU driver",
        section="gpu",
        requires=("driver_version",),
        probes=("gpus", "nvidia"),
        part="gpu",
        source="/proc/driver/nvidia/version",
        threshold="equal to `gpu.driver_version`, or of that branch",
        threshold_source=DECLARED,
        severity="fail",
        action="Run `cat /proc/driver/nvidia/version` on the node.",
        judge=_driver_version,
    ),
    HardwareCheck(
        id="gpu.cuda_version",
        title="CUDA version of the GPU driver",
        section="gpu",
        requires=("cuda_version_min",),
        probes=("gpus", "nvidia"),
        part="gpu",
        source="NVML",
        threshold="at least `gpu.cuda_version_min`",
        threshold_source=DECLARED,
        severity="fail",
        action="Run `nvidia-smi` on the node.",
        judge=_cuda_version,
    ),
    HardwareCheck(
        id="gpu.vbios",
        title="VBIOS of the GPUs",
        section="gpu",
        requires=("vbios_versions",),
        probes=("gpus",),
        part="gpu",
        source="NVML",
        threshold="one of `gpu.vbios_versions`",
        threshold_source=DECLARED,
        severity="fail",
        action="Run `nvidia-smi --query-gpu=vbios_version --format=csv` on the node.",
        judge=_vbios,
    ),
    HardwareCheck(
        id="gpu.ecc_mode",
        title="ECC of the GPUs' memory",
        section="gpu",
        requires=ANY_GPU,
        probes=("gpus",),
        part="gpu",
        source="NVML",
        threshold="now and after the next reset as `node_gpu` or `gpu.ecc` says; on for "
        "data-centre GPUs where nothing is declared",
        threshold_source=f"{DECLARED}; data-centre GPUs come with ECC on, and without it errors "
        "are silent",
        severity="fail",
        action="Run `nvidia-smi -q -d ECC` on the node.",
        judge=_ecc_mode,
    ),
    HardwareCheck(
        id="gpu.containers",
        title="GPUs inside a container",
        section="gpu",
        requires=("containers",),
        probes=("gpus", "gpu_container"),
        part="gpu",
        source="nvidia-ctk cdi list; nvidia-smi -L in a container by CDI",
        threshold="where `gpu.containers` is true: a container of every installed engine sees all "
        "GPUs, also after systemd is reloaded",
        threshold_source="NVIDIA Container Toolkit, troubleshooting: a reload takes devices from "
        "containers that got them without CDI",
        severity="fail",
        action="Declare lab_software.nvidia_container and nvidia_container_test_image, put the "
        "node into the group nvidia, and run this again.",
        judge=_container,
    ),
)
