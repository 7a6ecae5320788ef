"""The GPUs of a node as the checks see them: on the bus, in NVML, and as physical parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ....module_utils.hardware.pci import is_nvidia
from ..finding import Facts, Finding, HardwareCheck, part

Gpu = Mapping[str, Any]

# Above this many, addresses are counted instead of listed.
_LISTED = 4


def on_bus(facts: Facts) -> list[Gpu]:
    """Return NVIDIA's GPUs on the PCI bus."""
    return [gpu for gpu in facts["gpus"] if is_nvidia(gpu)]


def nvml_of(gpu: Gpu, facts: Facts) -> Gpu:
    """Return NVML's view of a GPU on the bus; empty if it has none."""
    listed = (facts.get("nvidia") or {}).get("gpus") or []
    return next((other for other in listed if other.get("bdf") == gpu.get("bdf")), {})


def name_of(gpu: Gpu, facts: Facts) -> str | None:
    """Return NVML's name of a GPU, else that of its PCI id."""
    return nvml_of(gpu, facts).get("name") or gpu.get("name") or None


def part_of(gpu: Gpu, facts: Facts) -> dict[str, str]:
    """Return the part: the board's serial number, or its UUID where the board tells none."""
    nvml = nvml_of(gpu, facts)
    uuid = nvml.get("uuid") or ""
    return part(
        "gpu",
        name_of(gpu, facts) or f"NVIDIA {gpu.get('device_id')}",
        serial=nvml.get("serial") or uuid,
        bdf=gpu.get("bdf"),
        slot=gpu.get("slot"),
        uuid=uuid,
    )


def label(gpu: Gpu, facts: Facts) -> str:
    """Return address, name and UUID in one line."""
    name = name_of(gpu, facts) or f"unknown NVIDIA device {gpu.get('device_id')}"
    uuid = nvml_of(gpu, facts).get("uuid")
    return f"{gpu.get('bdf')} {name}" + (f" {uuid}" if uuid else "")


def named(which: Mapping[str, str]) -> str:
    """Return words for a part that somebody at the rack finds: serial number, slot, address."""
    places = [f"slot {which['slot']}"] if which["slot"] else []
    places += [which["bdf"]] if which["bdf"] else []
    where = f" ({', '.join(places)})" if places else ""
    return f"GPU {which['serial'] or which['name']}{where}"


def unread(nvml: Gpu) -> Mapping[str, str]:
    """Return the fields of NVML's view that could not be read, with the driver's words."""
    found: Mapping[str, str] = nvml.get("unread") or {}
    return found


def why_null(nvml: Gpu, field: str) -> str:
    """Return why a field of NVML's view is null."""
    reason = (nvml.get("unread") or {}).get(field)
    return f"NVML: {reason}" if reason else "the driver does not tell"


def is_unsupported(nvml: Gpu, field: str) -> bool:
    """Return whether board or driver say that they do not have a field at all."""
    return field in (nvml.get("unsupported") or [])


def each_listed(
    check: HardwareCheck,
    facts: Facts,
    judge: Callable[[Gpu, Gpu, dict[str, str]], Finding | None],
    expected: object = None,
) -> list[Finding]:
    """Judge every GPU on the bus that NVML lists; the others are unknown, in one finding.

    Without any GPU on the bus there is nothing to judge, and gpu.count says so.

    Args:
        check: The check.
        facts: The facts.
        judge: GPU on the bus, NVML's view of it and the part to a finding; None where the check
            does not apply to this model.
        expected: What the unknown ones should be.
    """
    findings, missing = [], []
    for gpu in on_bus(facts):
        nvml = nvml_of(gpu, facts)
        if not nvml:
            missing.append(gpu)
            continue
        finding = judge(gpu, nvml, part_of(gpu, facts))
        if finding is not None:
            findings.append(finding)
    if missing:
        findings.append(_unlisted(check, facts, missing, expected))
    return findings


def _unlisted(check: HardwareCheck, facts: Facts, missing: list[Gpu], expected: object) -> Finding:
    nvidia = facts.get("nvidia")
    reason = (nvidia or {}).get("message")
    if nvidia is None:
        reason = facts.get("probes", {}).get("nvidia", {}).get("reason")
    addresses = ", ".join(str(gpu.get("bdf")) for gpu in missing[:_LISTED])
    more = f" and {len(missing) - _LISTED} more" if len(missing) > _LISTED else ""
    which = part_of(missing[0], facts) if len(missing) == 1 else part("gpu", f"{len(missing)} GPUs")
    return check.finding(
        "unknown",
        which,
        None,
        expected,
        evidence=f"NVML does not list {addresses}{more}" + (f": {reason}" if reason else ""),
        action="First clear gpu.driver.",
    )
