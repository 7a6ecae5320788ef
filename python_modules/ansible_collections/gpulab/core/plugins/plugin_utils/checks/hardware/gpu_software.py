"""Check of the GPU software: one version everywhere, and no reboot that is due."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..finding import Facts, Finding, HardwareCheck, Requirements, part
from ..specs import ANY_GPU

_REPAIR = "Run `ansible-playbook site.yml --tags gpu` for this node"
_PARTS = (
    ("module_loaded", "the loaded module"),
    ("module_on_disk", "the module on disk"),
    ("library", "the library (NVML)"),
    ("fabricmanager", "the fabric manager"),
    ("imex", "nvidia-imex"),
)


def _software(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    state = facts["gpu_software"]
    findings = [_driver(check, state), _reboot(check, state)]
    if state.get("dcgm"):
        findings.append(_dcgm(check, state))
    if state.get("half_configured"):
        findings.append(_half_configured(check, state))
    if wanted.get("count") != 0:
        return findings
    # A node that is declared to have no GPU needs no driver, but what it has must fit together.
    installed = any(state.get(key) for key, _ in _PARTS)
    wrong = [one for one in findings if one["status"] in ("fail", "warn") and installed]
    evidence = "the spec has no GPU"
    return wrong or [check.finding("pass", part("gpu", "driver"), None, None, evidence=evidence)]


def _driver(check: HardwareCheck, state: Mapping[str, Any]) -> Finding:
    """Compare the versions of what must have one; a part that is not installed has none."""
    versions = {what: state[key] for key, what in _PARTS if state.get(key)}
    shown = ", ".join(f"{what} is {version}" for what, version in versions.items())
    unread = [state["unread"][key] for key in ("module", "packages") if key in state["unread"]]
    if len(set(versions.values())) > 1:
        status, evidence, action = "fail", shown, _skew_action(state)
    elif not versions and not unread:
        status, evidence = "fail", "NVIDIA's driver is not installed"
        action = f"Put the node into the group nvidia. {_REPAIR}."
    elif state.get("nvswitches") and not state.get("fabricmanager") and not unread:
        status = "fail"
        evidence = f"{state['nvswitches']} NVSwitches, and no fabric manager is installed"
        action = f"{_REPAIR}; without the fabric manager CUDA does not start on these GPUs."
    elif unread:
        status, evidence = "unknown", f"{shown or 'nothing is known'}; {'; '.join(unread)}"
        action = check.action
    elif not state.get("module_on_disk") and not state.get("module_loaded"):
        status = "fail"
        # What is wrong first: a terminal's line is cut at its end.
        evidence = f"the running kernel has no module of NVIDIA's: none can be loaded; {shown}"
        action = f"{_REPAIR}: it builds the module for the kernel that runs (`dkms status`)."
    elif not state.get("module_on_disk"):
        status = "unknown"
        evidence = f"no module of the running kernel is on disk; {shown}"
        action = f"{_REPAIR}: after the next boot the driver may not load (`dkms status`)."
    else:
        status, evidence, action = "pass", shown, ""
    observed = sorted(set(versions.values()))
    return check.finding(
        status,
        part("gpu", "driver"),
        None if status == "unknown" else observed[0] if len(observed) == 1 else observed or None,
        "one version",
        evidence=evidence,
        action=action,
    )


def _skew_action(state: Mapping[str, Any]) -> str:
    on_disk, loaded = state.get("module_on_disk"), state.get("module_loaded")
    if on_disk and on_disk == state.get("library") and loaded not in (None, on_disk):
        return f"Reboot, so that {on_disk} is loaded, and hold the driver's packages."
    return f"{_REPAIR}: it puts all parts on one version and holds their packages; then reboot."


def _dcgm(check: HardwareCheck, state: Mapping[str, Any]) -> Finding:
    versions = state["dcgm"]
    return check.finding(
        "pass" if len(versions) == 1 else "fail",
        part("gpu", "DCGM"),
        versions[0] if len(versions) == 1 else versions,
        "one version",
        evidence=f"packages of DCGM are of version {', '.join(versions)}",
        action=f"{_REPAIR}: it puts DCGM's packages on one version; then restart nvidia-dcgm.",
    )


def _half_configured(check: HardwareCheck, state: Mapping[str, Any]) -> Finding:
    names = ", ".join(state["half_configured"])
    return check.finding(
        "fail",
        part("gpu", "packages"),
        state["half_configured"],
        [],
        evidence=f"dpkg left half done: {names}",
        action="Run `dpkg --configure -a` and `apt-get -f install` on the node, then the role.",
    )


def _reboot(check: HardwareCheck, state: Mapping[str, Any]) -> Finding:
    reasons = state["reboot_reasons"]
    if not reasons and "reboot" in state["unread"]:
        return check.finding(
            "unknown",
            part("gpu", "reboot"),
            None,
            False,
            evidence=state["unread"]["reboot"],
            action="See with `uname -r` and the boot loader's default which kernel boots next, and "
            "remove the kernels that shall not.",
            severity="warn",
        )
    return check.finding(
        "warn" if reasons else "pass",
        part("gpu", "reboot"),
        bool(reasons),
        False,
        evidence=f"a reboot is pending: {'; '.join(reasons)}"
        if reasons
        else "no reboot is pending",
        action="Reboot the node when it is idle; what is installed is not what runs.",
        severity="warn",
    )


GPU_SOFTWARE_CHECKS = (
    HardwareCheck(
        id="gpu.software",
        title="GPU software",
        section="gpu",
        requires=ANY_GPU,
        probes=("gpu_software",),
        part="gpu",
        source="/proc/driver/nvidia/version, modinfo, libnvidia-ml.so.*, dpkg-query or rpm, "
        "/run/reboot-required, /lib/modules",
        threshold="the loaded module, the module on disk, the library, the fabric manager and "
        "nvidia-imex have one version, DCGM's packages too, no package is half configured; a "
        "pending reboot warns",
        threshold_source="NVIDIA's driver and fabric manager work in the same version only",
        severity="fail",
        action="Run `modinfo nvidia`, `nvidia-smi` and `dpkg -l '*nvidia*'` (or `rpm -qa`) on the "
        "node.",
        judge=_software,
    ),
)
