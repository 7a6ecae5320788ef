"""The catalogue of hardware checks, and how facts are held against a spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....module_utils.facts.schema import FACTS_SCHEMA
from ..finding import Finding, HardwareCheck, part
from .bmc import BMC_CHECKS
from .bmc_events import BMC_EVENT_CHECKS
from .bmc_intrusion import INTRUSION
from .clock import CLOCK_CHECKS
from .compute import COMPUTE_CHECKS
from .gpu import GPU_CHECKS
from .gpu_fabric import GPU_FABRIC_CHECKS
from .gpu_health import GPU_HEALTH_CHECKS
from .gpu_links import GPU_LINK_CHECKS
from .gpu_load import LOAD_CHECKS
from .gpu_memory import GPU_MEMORY_CHECKS
from .gpu_recovery import GPU_RECOVERY_CHECKS
from .gpu_settings import GPU_SETTING_CHECKS
from .gpu_software import GPU_SOFTWARE_CHECKS
from .identity import IDENTITY_CHECKS
from .infiniband import INFINIBAND_CHECKS
from .memory import MEMORY_CHECKS
from .network import NETWORK_CHECKS
from .nic_counters import NIC_COUNTER_CHECKS
from .power_management import POWER_MANAGEMENT_CHECKS
from .smart import SMART_CHECKS
from .storage import STORAGE_CHECKS
from .topology import TOPOLOGY_CHECKS

CATALOGUE: tuple[HardwareCheck, ...] = (
    *IDENTITY_CHECKS,
    *COMPUTE_CHECKS,
    *POWER_MANAGEMENT_CHECKS,
    *MEMORY_CHECKS,
    *STORAGE_CHECKS,
    *SMART_CHECKS,
    *NETWORK_CHECKS,
    *NIC_COUNTER_CHECKS,
    *INFINIBAND_CHECKS,
    *GPU_CHECKS,
    *GPU_SOFTWARE_CHECKS,
    *GPU_SETTING_CHECKS,
    *GPU_RECOVERY_CHECKS,
    *GPU_MEMORY_CHECKS,
    *GPU_HEALTH_CHECKS,
    *GPU_LINK_CHECKS,
    *GPU_FABRIC_CHECKS,
    *TOPOLOGY_CHECKS,
    *BMC_CHECKS,
    *BMC_EVENT_CHECKS,
    INTRUSION,
    *CLOCK_CHECKS,
)

# What is judged of facts, and what of a benchmark's telemetry (checks_gpu_load.verify_load).
ALL_CHECKS: tuple[HardwareCheck, ...] = (*CATALOGUE, *LOAD_CHECKS)

# Section of the facts -> the type that it has when it is not null.
_SECTIONS: dict[str, type] = {
    "system": dict,
    "cpu": dict,
    "memory": dict,
    "dimms": dict,
    "edac": list,
    "power_management": dict,
    "disks": list,
    "smart": list,
    "nics": list,
    "nic_counters": dict,
    "infiniband": list,
    "topology": dict,
    "ipmi_sensors": list,
    "ipmi_events": dict,
    "gpus": list,
    "nvidia": dict,
    "gpu_software": dict,
    "gpu_fabric": dict,
    "gpu_container": dict,
    "kernel_log": dict,
    "clock": dict,
}


class FactsError(ValueError):
    """What was given as facts is not the output of hardware_info."""


def verify(facts: Mapping[str, Any], spec: Mapping[str, Any]) -> list[Finding]:
    """Hold facts against a resolved spec and return the findings, in the catalogue's order.

    A requirement whose facts could not be read gives a finding with status unknown; a spec without
    requirements gives none.

    Args:
        facts: As hardware_info returns them.
        spec: As resolve_spec returns it.

    Raises:
        FactsError: The facts have not the shape of hardware_info's.
    """
    _require_shape(facts)
    findings: list[Finding] = []
    for check in CATALOGUE:
        wanted = spec.get(check.section, {})
        if not any(key in wanted for key in check.requires):
            continue
        unread = [name for name in check.probes if facts[name] is None]
        if unread:
            findings.append(_unread(check, facts, wanted, unread[0]))
        else:
            findings += check.judge(check, facts, wanted)
    return findings


def _unread(
    check: HardwareCheck, facts: Mapping[str, Any], wanted: Mapping[str, Any], name: str
) -> Finding:
    reason = facts["probes"].get(name, {}).get("reason") or "no reason was given"
    required = {key: wanted[key] for key in check.requires if key in wanted}
    return check.finding(
        "unknown",
        part(check.part),
        None,
        next(iter(required.values())) if len(required) == 1 else required,
        evidence=f"the probe {name!r} could not read its facts: {reason}",
        action=check.action,
    )


def _require_shape(facts: Mapping[str, Any]) -> None:
    """Raise FactsError unless the facts have the sections that the checks read."""
    if not isinstance(facts, Mapping) or facts.get("schema") != FACTS_SCHEMA:
        raise FactsError(
            f"hardware: not facts of schema {FACTS_SCHEMA}; pass the `hardware` that "
            "gpulab.core.hardware_info of this version returned"
        )
    if not isinstance(facts.get("probes"), Mapping):
        raise FactsError("hardware.probes: must be a mapping, as hardware_info returns it")
    for name, kind in _SECTIONS.items():
        if name not in facts:
            raise FactsError(f"hardware.{name}: missing; hardware_info always returns it")
        section = facts[name]
        if section is None:
            continue
        if not isinstance(section, kind):
            raise FactsError(f"hardware.{name}: must be a {kind.__name__} or null")
        if isinstance(section, list) and not all(isinstance(item, Mapping) for item in section):
            raise FactsError(f"hardware.{name}: must be a list of mappings")
