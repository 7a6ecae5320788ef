"""Checks of what the network cards have counted: broken frames and lost links."""

from __future__ import annotations

from collections.abc import Mapping

from ....module_utils.hardware.nic_counters import LINE_ERRORS
from ..finding import DECLARED, Facts, Finding, HardwareCheck, Requirements, number, part
from .network import nic_part

_SOURCE = "/sys/class/net/*/{statistics,carrier_down_count}"
_CABLE = (
    "Clean or replace cable and transceiver, try another switch port, and see on the switch "
    "whether it counts errors on this port, too."
)


def _errors(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    return _judge(check, facts, wanted["errors_max"], LINE_ERRORS, "broken frames")


def _losses(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    return _judge(check, facts, wanted["link_losses_max"], ("link_losses",), "lost links")


def _judge(
    check: HardwareCheck, facts: Facts, most: int, counters: tuple[str, ...], unit: str
) -> list[Finding]:
    """Judge the counters of every interface: too many in all, or any while we looked."""
    pause_s = facts["nic_counters"].get("pause_s")
    known = {nic.get("name"): nic for nic in facts.get("nics") or []}
    entries = facts["nic_counters"].get("nics") or []
    if not entries:
        evidence = "no physical interface"
        return [
            check.finding(
                "unknown", part("nic", evidence), None, most, evidence=evidence, action=check.action
            )
        ]
    findings = []
    for entry in entries:
        nic = known.get(entry.get("name")) or {"name": entry.get("name")}
        total = _sum(entry.get("total"), counters)
        now = _sum(entry.get("delta"), counters)
        status = "pass"
        if total is None:
            status = "unknown"
        elif total > most or (now or 0) > 0:
            status = "warn"
        findings.append(
            check.finding(
                status,
                nic_part([nic]),
                total,
                most,
                unit=unit,
                evidence=f"{_told(entry.get('total'))} since its driver started; "
                f"{'an unknown number' if now is None else now} of these {unit} "
                f"within {pause_s} s",
                action=check.action if status == "unknown" else _CABLE,
            )
        )
    return findings


def _sum(counts: object, counters: tuple[str, ...]) -> int | None:
    """Return the sum of the counters that the driver keeps; None if it keeps none of them."""
    if not isinstance(counts, Mapping):
        return None
    known = [number(counts.get(key)) for key in counters]
    told = [int(count) for count in known if count is not None]
    return sum(told) if told else None


def _told(counts: object) -> str:
    """Return the counters that are not zero, drops included: they inform, and are not judged."""
    if not isinstance(counts, Mapping):
        return "nothing is told"
    said = [f"{key} {count}" for key, count in counts.items() if count]
    return ", ".join(said) or "all counters are 0"


NIC_COUNTER_CHECKS = (
    HardwareCheck(
        id="nic.errors",
        title="Broken frames",
        section="network",
        requires=("errors_max",),
        probes=("nic_counters",),
        part="nic",
        source=_SOURCE,
        threshold="CRC, frame and carrier errors of each physical interface since its driver "
        "started: at most `network.errors_max`; none in a second reading a second later. Dropped "
        "frames are shown, not judged: a busy host drops, too",
        threshold_source=DECLARED + "; a sound Ethernet line shows none",
        severity="warn",
        action="Run `ip -s -s link` on the node; this driver keeps no such counters.",
        judge=_errors,
    ),
    HardwareCheck(
        id="nic.link_losses",
        title="Lost links",
        section="network",
        requires=("link_losses_max",),
        probes=("nic_counters",),
        part="nic",
        source=_SOURCE,
        threshold="losses of the link of each physical interface since its driver started: at most "
        "`network.link_losses_max`; none in a second reading a second later",
        threshold_source=DECLARED + "; setting up a link at boot takes one or two, and so does "
        "every reboot of the switch",
        severity="warn",
        action="Read /sys/class/net/NAME/carrier_changes on the node.",
        judge=_losses,
    ),
)
