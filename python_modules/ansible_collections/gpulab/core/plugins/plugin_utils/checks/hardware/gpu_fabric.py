"""Check of the NVSwitch fabric: who manages it, who has joined it, and whether it is well."""

from __future__ import annotations

import re

from ..finding import Facts, Finding, HardwareCheck, Requirements, part
from ..specs import ANY_GPU
from .gpu_parts import Gpu, nvml_of, on_bus, unread

# The words of a fabric that is well (nvidia-smi's), and those of one that is not; of any other word
# nothing is known. Every configuration that is named is a wrong one.
_WELL = {
    "summary": "Healthy",
    "bandwidth": "Full",
    "incorrect_configuration": "None",
    "partition_assigned": "True",
    "gfm_state": "Connected",
}
_BAD = {
    "summary": ("Unhealthy", "Limited Capacity"),
    "bandwidth": ("Degraded",),
    "partition_assigned": ("False",),
    "gfm_state": ("Disconnected",),
}
# GPUs whose NVSwitches stand in trays of the rack: their fabric manager runs there (NVIDIA, GB200
# NVL Multi-Node Tuning Guide). The fabric's cluster says it too.
_RACK_SCALE = re.compile(r"(?<![A-Za-z0-9])(G[HB][23]00|VR\d{3}|GR\d{3})(?![A-Za-z0-9])")


def _fabric_manager(check: HardwareCheck, facts: Facts, _wanted: Requirements) -> list[Finding]:
    gpus = [(str(gpu.get("bdf")), nvml_of(gpu, facts)) for gpu in on_bus(facts)]
    fabric = facts["gpu_fabric"]
    states = {bdf: nvml["fabric_state"] for bdf, nvml in gpus if nvml.get("fabric_state")}
    untold = {
        bdf: reason
        for bdf, nvml in gpus
        for field, reason in unread(nvml).items()
        if field.startswith("fabric_")
    }
    switches = fabric["nvswitches"]
    if not gpus or not (switches or states or untold):
        return []
    state = fabric["fabric_manager"]
    elsewhere = not switches and any(_is_rack_scale(nvml) for _, nvml in gpus)
    installed = (facts.get("gpu_software") or {}).get("fabricmanager")
    loaded = (facts.get("nvidia") or {}).get("module_version")
    unjoined = {bdf: said for bdf, said in states.items() if said != "completed"}
    sick, strange = _fabric_words(gpus)
    where = "the fabric manager runs beside the NVSwitches" if elsewhere else ""
    evidence = f"{switches} NVSwitches on the bus; the fabric manager is {state}"
    action = "Run `systemctl status nvidia-fabricmanager` on the node; without it CUDA does not "
    action += "start on these GPUs (`ansible-playbook site.yml --tags gpu` installs it)."
    # What is known to be wrong comes before what can't be read.
    if state not in (None, "active") and not elsewhere:
        status = "fail"
    elif installed and loaded and installed != loaded and not elsewhere:
        status, evidence = "fail", f"the fabric manager is {installed}, the driver {loaded}"
        action = "Run `ansible-playbook site.yml --tags gpu`, which puts both on one version, then "
        action += "reboot."
    elif unjoined:
        status = "fail"
        evidence = "not in the fabric: " + ", ".join(
            f"{bdf} ({said})" for bdf, said in unjoined.items()
        )
        action = "Look at /var/log/fabricmanager.log for the NVSwitch or the link that failed."
    elif sick:
        status, evidence = "fail", f"the fabric is not well: {'; '.join(sick)}"
        action = (
            "Look at the fabric manager's log for the NVSwitch or the link that failed, and see "
        )
        action += "`nvidia-smi nvlink -s` on the node."
    elif state is None and not elsewhere:
        status, evidence, action = "unknown", fabric["reason"] or evidence, check.action
    elif untold or strange:
        status, action = "unknown", check.action
        reasons = [*(f"{bdf}: {reason}" for bdf, reason in untold.items()), *strange]
        evidence = f"the fabric's state: {'; '.join(reasons)}"
    else:
        status = "pass"
        evidence = f"{len(states)} GPUs are in the fabric; {where}" if elsewhere else evidence
    return [
        check.finding(
            status,
            part("gpu", "fabric manager"),
            "elsewhere" if elsewhere else state,
            "active",
            evidence=evidence,
            action=action,
        )
    ]


def _is_rack_scale(nvml: Gpu) -> bool:
    """Return whether a GPU's fabric spans nodes, and so is managed outside of them."""
    return bool(nvml.get("fabric_cluster") or _RACK_SCALE.search(nvml.get("name") or ""))


def _fabric_words(gpus: list[tuple[str, Gpu]]) -> tuple[list[str], list[str]]:
    """Return what the driver says of the fabric that is wrong, and what is not understood."""
    sick: list[str] = []
    strange: list[str] = []
    for bdf, nvml in gpus:
        for name, word in (nvml.get("fabric_health") or {}).items():
            if word.lower() == _WELL.get(name, "False").lower():
                continue
            bad = [one.lower() for one in _BAD.get(name, ("True",))]
            known = word.lower() in bad or name == "incorrect_configuration"
            (sick if known else strange).append(f"{bdf} {name} {word}")
    return sick, strange


GPU_FABRIC_CHECKS = (
    HardwareCheck(
        id="gpu.fabric_manager",
        title="Fabric manager of NVSwitch machines",
        section="gpu",
        requires=ANY_GPU,
        probes=("gpus", "gpu_fabric"),
        part="gpu",
        source="systemctl is-active nvidia-fabricmanager; PCI bus; NVML's fabric state and health",
        threshold="where there are NVSwitches: active, of the driver's version, and every GPU has "
        "joined the fabric and says that it is well; where the NVSwitches are in the rack (GB200, "
        "GB300, a fabric over nodes) no manager is needed on the node",
        threshold_source="NVIDIA, Fabric Manager User Guide",
        severity="fail",
        action="Run `systemctl status nvidia-fabricmanager` on the node.",
        judge=_fabric_manager,
    ),
)
