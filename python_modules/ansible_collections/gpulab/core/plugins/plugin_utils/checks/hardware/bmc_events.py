"""Check of the event log of the management controller (BMC)."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..finding import Facts, Finding, HardwareCheck, Requirements, number, part, waived
from . import ipmi_states

# The log has no time zone: an entry of the last boot may bear a time up to 14 hours before it.
_ZONES_S = 14 * 3600
# What an entry that is none of IPMI's states, but its maker's, must say to be shown.
_SERIOUS = re.compile(
    r"uncorrectable|correctable ecc|critical|non-recoverable|failure|failed|ac lost|fatal|ierr"
    r"|thermal trip|redundancy lost|non-redundant|bus error|pci perr|pci serr|machine check"
    r"|out-of-range|fault",
    re.IGNORECASE,
)


def _events(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    which = part("sensor", "event log")
    if not wanted["event_log"]:
        return waived(check, which, "event_log")
    boot = number(facts["ipmi_events"].get("boot_s"))
    offset = number(facts["ipmi_events"].get("clock_offset_s"))
    if boot is None or offset is None or abs(offset) > _ZONES_S:
        evidence = "/proc/stat does not tell when the machine started"
        if boot is not None:
            evidence = "the BMC does not tell its time, by which the entries are dated"
            if offset is not None:
                evidence = (
                    f"the BMC's clock is {offset / 3600:.1f} hours off: its dates say nothing"
                )
        return [
            check.finding("unknown", which, None, "none", evidence=evidence, action=check.action)
        ]
    recent = serious_events(facts["ipmi_events"]["events"], boot - _ZONES_S)
    findings = []
    for (sensor, event), entries in recent.items():
        last = entries[-1]
        findings.append(
            check.finding(
                "warn",
                part("sensor", sensor),
                f"{len(entries)} times",
                "none",
                evidence=f"{event}, last at {moment(last['at_s'])} by the BMC's clock "
                f"(entry {last['id']})",
                action="Read the log around it (`ipmitool sel elist`), see to the part that it "
                "names, and clear the log afterwards (`ipmitool sel clear`).",
            )
        )
    return findings or [
        check.finding(
            "pass",
            which,
            "none",
            "none",
            evidence=f"no serious entry since {moment(boot)} less 14 hours for time zones",
        )
    ]


def serious_events(
    events: Sequence[Mapping[str, Any]], since_s: float
) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    """Return the serious entries since a time, by sensor and event.

    What was taken back later is over and left out: deasserted, or followed by another of the
    sensor's exclusive states ("Redundancy Lost", then "Fully Redundant"). An entry without a time
    is from a start of the BMC before it knew the time, and is left out, too.
    """
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for event in events:
        key = (event["sensor"], event["event"])
        if not event["asserted"]:
            found.pop(key, None)
            continue
        family = ipmi_states.family(event["event"])
        if family is not None:
            for other in [one for one in found if one[0] == key[0] and one != key]:
                if ipmi_states.family(other[1]) == family:
                    del found[other]
        at = number(event.get("at_s"))
        if at is not None and at >= since_s and _is_serious(event):
            found.setdefault(key, []).append(event)
    return found


def _is_serious(event: Mapping[str, Any]) -> bool:
    """Return whether an entry tells of a fault, by its event: its sensor's type is no fault."""
    level = ipmi_states.level_of(event["event"], event["sensor"])
    if level is None:
        return _SERIOUS.search(event["event"]) is not None
    return level in (ipmi_states.FAIL, ipmi_states.WARN)


def moment(seconds: float) -> str:
    """Return a time of the BMC's clock, as its log writes it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))


BMC_EVENT_CHECKS = (
    HardwareCheck(
        id="system.events",
        title="Event log of the BMC",
        section="system",
        requires=("event_log",),
        probes=("ipmi_events",),
        part="sensor",
        source="ipmitool sel elist last 200; /proc/stat",
        threshold="no serious entry since the last boot that was not taken back later, or ended by "
        "another state",
        threshold_source="IPMI 2.0, tables 42-2 and 42-3; the log has no time zone, so the 14 "
        "hours before the boot count, too, and a BMC whose clock is further off can't be judged",
        severity="warn",
        action="Run `ipmitool sel elist` as root; set the BMC's clock by `ipmitool sel time set "
        "now`, or by NTP on its web page.",
        judge=_events,
    ),
)
