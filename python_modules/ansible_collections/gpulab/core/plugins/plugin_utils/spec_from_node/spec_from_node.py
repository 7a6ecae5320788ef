"""Write a hardware spec from what a known-good node has.

A requirement is stated only where the node itself meets it: every candidate is held against the
node's own facts first. What the node does not meet, or what it does not have, is left out, and the
reason is returned.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from ..checks.hardware.catalogue import CATALOGUE, verify
from ..checks.specs import REQUIREMENTS, Spec, spec_errors
from .gpu_values import GPU_VALUES

Facts = Mapping[str, Any]

# More than any counter shows: a limit that nothing exceeds, to see what is observed.
_ANY = 2**62


class CaptureError(ValueError):
    """No spec can be written from these facts; the text says what is missing and what to do."""


@dataclass(frozen=True)
class Captured:
    """A spec, and what it does not state.

    Attributes:
        spec: Sections of requirements, with a description.
        left_out: Requirement (``section.key``) -> why the spec does not state it.
    """

    spec: Spec
    left_out: dict[str, str] = field(default_factory=dict)


def capture(facts: Facts, description: str, *, allow_unread: bool = False) -> Captured:
    """Return the spec that a node with these facts meets and another must meet to be like it.

    Args:
        facts: ``hardware`` of ``gpulab.core.hardware_info``.
        description: What the spec is for.
        allow_unread: Leave out what could not be read, instead of refusing.

    Raises:
        CaptureError: A section that a check needs could not be read.
        FactsError: The facts have not the shape of hardware_info's.
    """
    unread = {
        name: facts["probes"].get(name, {}).get("reason") or "no reason was given"
        for name in _needed()
        if facts.get(name) is None
    }
    if unread and not allow_unread:
        told = "; ".join(f"{name}: {reason}" for name, reason in unread.items())
        raise CaptureError(
            f"these facts could not be read, so the spec would not ask for them: {told}. Mend that "
            "and capture again, or allow it (spec_allow_unread: true)"
        )
    spec: Spec = {"description": description}
    left_out: dict[str, str] = {}
    for section, keys in REQUIREMENTS.items():
        stated: dict[str, Any] = {}
        for key in keys:
            if (section, key) in _UNSTATED:
                continue
            value, reason = _candidate(facts, section, key, stated)
            if reason:
                left_out[f"{section}.{key}"] = reason
            else:
                stated[key] = value
        if stated:
            spec[section] = stated
    errors = spec_errors("captured", spec)
    if errors:
        raise CaptureError(f"the facts make no sound spec: {'; '.join(errors)}")
    return Captured(spec, left_out)


def describe(facts: Facts, node: str) -> str:
    """Return a description: the node, and what product it is."""
    system = facts.get("system") or {}
    product = " ".join(word for word in (system.get("vendor"), system.get("product")) if word)
    return f"Like {node} ({product})" if product else f"Like {node}"


def render(name: str, captured: Captured, node: str) -> str:
    """Return the spec as YAML for the inventory, with what it leaves out as comments."""
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    lines = [
        "---",
        f"# Captured from {node} on {today} (playbooks/spec_from_node.yml). Read it before you",
        "# rely on it: it asks for what this node has, and allows the errors that it has counted.",
    ]
    lines += [f"# Not stated: {key}: {reason}" for key, reason in captured.left_out.items()]
    body = yaml.safe_dump(
        {"lab_hardware_specs": {name: captured.spec}}, sort_keys=False, width=90, allow_unicode=True
    )
    return "\n".join(lines) + "\n" + body


def _needed() -> Iterator[str]:
    """Give the sections of the facts that checks read, once each."""
    yield from dict.fromkeys(probe for check in CATALOGUE for probe in check.probes)


def _candidate(facts: Facts, section: str, key: str, stated: Mapping[str, Any]) -> tuple[Any, str]:
    """Return a value that the node meets, or the reason why there is none."""
    if not any(check.section == section and key in check.requires for check in CATALOGUE):
        return None, "it is measured by the benchmark or between nodes, and not read from a node"
    unread = _unread(facts, section, key)
    if unread:
        return None, f"the section {unread} could not be read"
    special = _SPECIAL.get((section, key))
    if special is not None:
        value = special(facts)
    elif bool in REQUIREMENTS[section][key][0]:
        value = True
    elif key.endswith(("_min", "_max")):
        value = _observed(facts, section, key)
    else:
        return None, "it is not captured; state it by hand where it matters"
    if value is None or value == []:
        return None, "this node has nothing to tell of it"
    problems = [
        finding
        for finding in verify(facts, {section: {**stated, key: value}})
        if finding["status"] != "pass"
    ]
    if problems:
        first = problems[0]
        return None, f"{first['id']} is {first['status']} on this node: {first['evidence']}"
    return value, ""


def _observed(facts: Facts, section: str, key: str) -> float | None:
    """Return what the checks observe: the least for a minimum, the most for a maximum.

    Zero is no minimum: the node does not have such a part.
    """
    most = key.endswith("_max")
    # A requirement may switch on other checks, too; the one that it is the first of is about it.
    about = {
        check.id for check in CATALOGUE if check.section == section and check.requires[0] == key
    }
    found = [
        finding["observed"]
        for finding in verify(facts, {section: {key: _ANY if most else 0}})
        if finding["status"] == "pass"
        and finding["id"] in about
        and isinstance(finding["observed"], (int, float))
        and not isinstance(finding["observed"], bool)
    ]
    if not found:
        return None
    if most:
        return _number(max(found))
    # Rounded down, so that the node itself meets it.
    least = _number(math.floor(min(found) * 1000) / 1000)
    return least or None


def _number(value: float) -> float:
    return int(value) if float(value).is_integer() else value


def _unread(facts: Facts, section: str, key: str) -> str:
    """Return the section of the facts that a requirement's check lacks, or nothing."""
    for check in CATALOGUE:
        if check.section == section and key in check.requires:
            for probe in check.probes:
                if facts.get(probe) is None:
                    return probe
    return ""


def _architecture(facts: Facts) -> str | None:
    return (facts.get("cpu") or {}).get("architecture")


def _governor(facts: Facts) -> str | None:
    governors = (facts.get("power_management") or {}).get("governors") or {}
    return next(iter(governors)) if len(governors) == 1 else None


def _clocksources(facts: Facts) -> list[str]:
    source = (facts.get("power_management") or {}).get("clocksource")
    return [source] if source else []


def _dimm_slots(facts: Facts) -> list[str]:
    slots = (facts.get("dimms") or {}).get("slots") or []
    names = [slot["slot"] for slot in slots if slot.get("installed")]
    return names if all(names) and len(set(names)) == len(names) else []


def _fastest(facts: Facts) -> list[int]:
    """Return the speeds of the physical links that are up and as fast as the fastest."""
    speeds = [
        nic["speed_mbps"]
        for nic in facts.get("nics") or []
        if nic.get("physical") and nic.get("link") == "up" and nic.get("speed_mbps")
    ]
    return [speed for speed in speeds if speed == max(speeds)]


def _speed(facts: Facts) -> int | None:
    return max(_fastest(facts), default=None)


def _links(facts: Facts) -> float | None:
    """Return the number of links that have the speed; where none tells it, all that are up."""
    return len(_fastest(facts)) or _observed(facts, "network", "links_min")


def _active(facts: Facts) -> list[Mapping[str, Any]]:
    return [port for port in facts.get("infiniband") or [] if port.get("state") == "ACTIVE"]


def _ports(facts: Facts) -> int | None:
    return len(_active(facts)) or None


def _rate(facts: Facts) -> float | None:
    rates = [port["rate_gbps"] for port in _active(facts) if port.get("rate_gbps")]
    return _number(min(rates)) if rates else None


def _gpu_count(facts: Facts) -> int | None:
    found = verify(facts, {"gpu": {"count_min": 0}})
    counts = [one["observed"] for one in found if one["id"] == "gpu.count"]
    return counts[0] if counts and isinstance(counts[0], int) else None


_SPECIAL: dict[tuple[str, str], Callable[[Facts], Any]] = {
    ("cpu", "architecture"): _architecture,
    ("cpu", "governor"): _governor,
    ("cpu", "clocksources"): _clocksources,
    ("memory", "dimm_slots"): _dimm_slots,
    ("network", "speed_mbps_min"): _speed,
    ("network", "links_min"): _links,
    ("infiniband", "ports_min"): _ports,
    ("infiniband", "rate_gbps_min"): _rate,
    ("gpu", "count"): _gpu_count,
    **GPU_VALUES,
}
# The exact count is stated, which leaves no room for a least one.
_UNSTATED = {("gpu", "count_min")}
