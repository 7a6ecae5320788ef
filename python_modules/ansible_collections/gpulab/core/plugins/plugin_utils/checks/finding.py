"""What a check is, and what it says about a part."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable

Finding = dict[str, Any]
Facts = Mapping[str, Any]
Requirements = Mapping[str, Any]

# The source of every limit that the lab declares itself.
DECLARED = "the node's hardware spec"

GIB = 1024**3
TB = 10**12


@dataclass(frozen=True)
class Check:
    """One thing that is judged, at whichever stage: what every finding is declared by.

    Attributes:
        id: Name, ``<stage or section>.<what>``; ``<...>`` in it stands for a name.
        title: What it looks at, for the documentation.
        source: Files and tools that the observed values come from.
        threshold: When it fails or warns, in words.
        threshold_source: Where the threshold comes from.
        severity: ``fail`` or ``warn``: what a failure, or not knowing, weighs.
        action: What to do when it is unknown.
    """

    id: str
    title: str
    source: str
    threshold: str
    threshold_source: str
    severity: str
    action: str

    def finding(
        self,
        status: str,
        part: Mapping[str, str],
        observed: object = None,
        expected: object = None,
        *,
        unit: str = "",
        evidence: str,
        action: str = "",
        severity: str = "",
        source: str = "",
        name: str = "",
    ) -> Finding:
        """Return a finding of it.

        Args:
            status: pass, warn, fail or unknown.
            part: From `part`.
            observed: The value found, or None.
            expected: The value required, or None.
            unit: Of both values.
            evidence: One line that shows why.
            action: What to do next, where it is unknown and this differs from its own, or it
                failed or warned; dropped when the status is pass.
            severity: Where it differs from its own.
            source: Where more is known of it than its own says.
            name: What ``<...>`` in its id stands for.
        """
        if not action and status == "unknown":
            action = self.action
        return {
            "id": re.sub(r"<\w+>", name, self.id) if name else self.id,
            "part": dict(part),
            "observed": observed,
            "expected": expected,
            "unit": unit,
            "source": source or self.source,
            "severity": severity or self.severity,
            "status": status,
            "action": "" if status == "pass" else action,
            "evidence": evidence,
        }


@dataclass(frozen=True)
class HardwareCheck(Check):
    """A check on the facts of the hardware: one entry of their catalogue.

    Attributes:
        section: Section of the spec that holds its requirements.
        requires: Requirements of that section, any of which switches it on.
        probes: Sections of the facts that it reads; if one is unknown, so is the check.
        part: Kind of the part that is named when the facts are unknown.
        judge: Facts and requirements (of its section) to findings, at least one.
    """

    section: str
    requires: tuple[str, ...]
    probes: tuple[str, ...]
    part: str
    judge: Callable[[HardwareCheck, Facts, Requirements], list[Finding]]


def part(
    kind: str,
    name: str | None = "",
    *,
    serial: str | None = "",
    bdf: str | None = "",
    slot: str | None = "",
    uuid: str | None = "",
    port: str | None = "",
) -> dict[str, str]:
    """Return the identity of a physical part; what is not known is empty.

    Args:
        kind: One of the kinds in ``record.schema.json``.
        name: Its model, or what the system calls it.
        serial: Serial number, or a network port's MAC address.
        bdf: PCI address.
        slot: Slot, bay or locator as printed on the board.
        uuid: NVML's name of a GPU.
        port: Switch and port at the other end of its cable.
    """
    return {
        "kind": kind,
        "name": name or "",
        "serial": serial or "",
        "bdf": bdf or "",
        "slot": slot or "",
        "uuid": uuid or "",
        "port": port or "",
    }


def number(value: object) -> float | None:
    """Return the value if it is a number that can be compared, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        return None
    return value


def waived(check: HardwareCheck, which: Mapping[str, str], requirement: str) -> list[Finding]:
    """Return the pass of a requirement that is declared false: it asks for nothing."""
    evidence = f"the spec declares {check.section}.{requirement}: false, which asks for nothing"
    return [check.finding("pass", which, None, False, evidence=evidence)]


def at_least(
    check: HardwareCheck,
    which: Mapping[str, str],
    observed: float | None,
    expected: float,
    *,
    floor: float | None = None,
    unit: str = "",
    evidence: str,
    action: str,
) -> Finding:
    """Return pass, fail, or unknown for a number that must reach a limit.

    Args:
        check: The check.
        which: The part.
        observed: The number found; None is unknown.
        expected: The number declared.
        floor: The limit with its tolerance, where it is not `expected` itself.
        unit: Of both.
        evidence: One line that shows the number.
        action: What to do when it is too low.
    """
    limit = expected if floor is None else floor
    if observed is None:
        return check.finding(
            "unknown", which, None, expected, unit=unit, evidence=evidence, action=check.action
        )
    status = "pass" if observed >= limit else "fail"
    return check.finding(
        status, which, observed, expected, unit=unit, evidence=evidence, action=action
    )
