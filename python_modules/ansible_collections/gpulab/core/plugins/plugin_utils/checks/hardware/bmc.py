"""Checks of what the management controller (BMC) watches: power supplies, fans, sensors, log."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..finding import DECLARED, Facts, Finding, HardwareCheck, Requirements, number, part, waived

Sensor = Mapping[str, Any]

_SOURCE = "ipmitool sdr elist"
_ASK = (
    "Load the BMC's driver (`modprobe ipmi_si ipmi_devintf`), install ipmitool, and run "
    "`ipmitool sdr elist` as root. A machine without a BMC can't declare this."
)
# The words that ipmitool has for the states of a power supply and of redundancy (IPMI 2.0, tables
# 42-2 and 42-3).
# Dell's presence sensors say "Present".
_PRESENT = "Presen"
_PSU_FAULTS = ("Failure detected", "Predictive failure", "AC lost", "AC out-of-range", "Config Err")
_REDUNDANCY_LOST = ("Redundancy Lost", "Redundancy Degraded", "Non-Redundant")
# What an entry of the event log must say to be shown.
_SERIOUS = (
    *("uncorrectable", "correctable ecc", "critical", "non-recoverable", "failure", "ac lost"),
    *("fatal", "ierr", "thermal trip", "redundancy lost", "non-redundant", "bus error"),
    *("pci perr", "pci serr", "machine check", "out-of-range", "fault"),
)
# The log has no time zone: an entry of the last boot may bear a time up to 14 hours before it.
_ZONES_S = 14 * 3600


def _psus(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    expected = wanted["psus_min"]
    supplies: dict[str, list[Sensor]] = {}
    for sensor in facts["ipmi_sensors"]:
        if sensor["kind"] == "psu" and not _is_redundancy(sensor):
            supplies.setdefault(_supply(sensor), []).append(sensor)
    if not supplies:
        evidence = "the BMC shows no sensor of a power supply"
        return [
            check.finding(
                "unknown", part("psu"), None, expected, evidence=evidence, action=check.action
            )
        ]
    faulty = {name: own for name, own in supplies.items() if any(map(_psu_fault, own))}
    absent = {
        name: own for name, own in supplies.items() if name not in faulty and not _is_present(own)
    }
    present = len(supplies) - len(absent)
    findings = [
        check.finding(
            "fail",
            part("psu", next(filter(_psu_fault, own))["name"], slot=name),
            _readings(filter(_psu_fault, own)),
            "working",
            evidence=_readings(own),
            action="Check its power cord and its outlet; if they are sound, replace this power "
            "supply.",
        )
        for name, own in faulty.items()
    ]
    evidence = f"{present} power supplies present of {len(supplies)} that the BMC knows"
    if present < expected:
        findings += [
            check.finding(
                "fail",
                part("psu", "no power supply", slot=", ".join(absent)),
                present,
                expected,
                evidence=evidence,
                action="Fit the power supply that is missing, or reseat it.",
            )
        ]
    findings += _redundancy(check, facts, "psu")
    return findings or [
        check.finding(
            "pass", part("psu", "all power supplies"), present, expected, evidence=evidence
        )
    ]


def _is_present(own: Sequence[Sensor]) -> bool:
    """Return whether a power supply is there; where no sensor tells states, a reading does."""
    discrete = [one for one in own if one["value"] is None and one["level"] != "absent"]
    states = [state for sensor in own for state in sensor["states"]]
    if discrete or states:
        return any(state.startswith(_PRESENT) for state in states)
    return any(sensor["level"] != "absent" for sensor in own)


def _supply(sensor: Sensor) -> str:
    """Return which power supply a sensor belongs to: entity 10.2 is the second."""
    entity_id, _, instance = sensor["entity"].partition(".")
    if entity_id == "10":
        return f"PSU {instance}"
    named = re.search(r"\d+", sensor["name"])
    return f"PSU {named.group()}" if named else str(sensor["name"])


def _psu_fault(sensor: Sensor) -> bool:
    if sensor["level"] == "critical":
        return True
    return any(state.startswith(_PSU_FAULTS) or "AC lost" in state for state in sensor["states"])


def _is_redundancy(sensor: Sensor) -> bool:
    return "redun" in sensor["name"].lower() or any("edundan" in s for s in sensor["states"])


def _redundancy(check: HardwareCheck, facts: Facts, kind: str) -> list[Finding]:
    """Return a failure for each redundancy sensor of the kind that tells of a loss."""
    findings = []
    for sensor in facts["ipmi_sensors"]:
        lost = [s for s in sensor["states"] if s.startswith(_REDUNDANCY_LOST)]
        about = "fan" if "fan" in sensor["name"].lower() or sensor["kind"] == "fan" else "psu"
        if lost and about == kind:
            findings.append(
                check.finding(
                    "fail",
                    part("sensor", sensor["name"], slot=sensor["entity"]),
                    lost[0],
                    "Fully Redundant",
                    evidence=f"{sensor['name']}: {', '.join(sensor['states'])}",
                    action="Find the one that failed, by its lamp or the BMC's web page, and "
                    "replace it: the next failure stops the node.",
                )
            )
    return findings


def _fans(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    expected = wanted["fans_min"]
    fans = [
        sensor
        for sensor in facts["ipmi_sensors"]
        if sensor.get("kind") == "fan" and not _is_redundancy(sensor)
    ]
    failed = [sensor for sensor in fans if _stands_still(sensor)]
    silent = [sensor for sensor in fans if sensor["level"] == "absent"]
    slow = [sensor for sensor in fans if sensor["level"] == "warning" and sensor not in failed]
    turning = len(fans) - len(failed) - len(silent)
    evidence = f"{turning} of {len(fans)} fans turn"
    findings = [
        check.finding(
            "fail",
            part("fan", sensor["name"], slot=sensor["entity"]),
            _reading(sensor),
            "turning",
            evidence=f"{sensor['name']}: {_reading(sensor)} ({sensor['level']}); {evidence}",
            action="Replace this fan. Until then the GPUs near it lower their clocks.",
        )
        for sensor in failed
    ]
    findings += _redundancy(check, facts, "fan")
    if not fans:
        return [
            check.finding(
                "unknown",
                part("fan"),
                None,
                expected,
                evidence="the BMC shows no sensor of a fan",
                action=check.action,
            )
        ]
    if turning + len(failed) < expected:
        # Fans that never were there show as silent, too, so they are named only when some lack.
        names = ", ".join(sensor["name"] for sensor in silent)
        findings.append(
            check.finding(
                "fail",
                part("fan", names or "no fan"),
                turning,
                expected,
                unit="fans",
                evidence=f"{evidence}; without a reading: {names or 'none'}",
                action="Check that each of these fans is plugged in and turns; replace the one "
                "that does not.",
            )
        )
    findings += [
        check.finding(
            "warn",
            part("fan", sensor["name"], slot=sensor["entity"]),
            _reading(sensor),
            "turning",
            evidence=f"{sensor['name']}: {_reading(sensor)}, beyond its warning limit",
            action="Clean this fan and look again; replace it if it stays slow.",
            severity="warn",
        )
        for sensor in slow
    ]
    return findings or [
        check.finding(
            "pass", part("fan", "all fans"), turning, expected, unit="fans", evidence=evidence
        )
    ]


def _stands_still(sensor: Sensor) -> bool:
    if sensor["level"] == "absent":
        return False
    still: bool = sensor["unit"] == "RPM" and sensor["value"] == 0
    return still or sensor["level"] == "critical"


def _sensors(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    which = part("sensor", "all sensors")
    if not wanted["sensors"]:
        return waived(check, which, "sensors")
    read = [sensor for sensor in facts["ipmi_sensors"] if sensor["level"] != "absent"]
    if not read:
        evidence = "none of the BMC's sensors has a reading"
        return [check.finding("unknown", which, None, "ok", evidence=evidence, action=check.action)]
    # Fans and power supplies have checks of their own, where the spec asks for them.
    judged = [kind for kind, key in (("psu", "psus_min"), ("fan", "fans_min")) if key in wanted]
    findings = [
        check.finding(
            "fail" if sensor["level"] == "critical" else "warn",
            part("sensor", sensor["name"], slot=sensor["entity"]),
            _reading(sensor),
            "ok",
            evidence=f"{sensor['name']} ({sensor['number']}): {_reading(sensor)}, beyond its "
            f"{sensor['level']} limit",
            action="Temperature: check air flow, filters and room. Voltage: check the power supply "
            "and the board. `ipmitool sensor get NAME` shows the limits.",
            severity="" if sensor["level"] == "critical" else "warn",
        )
        for sensor in read
        if sensor["level"] in ("critical", "warning") and sensor["kind"] not in judged
    ]
    evidence = f"{len(read)} sensors read"
    return findings or [check.finding("pass", which, "ok", "ok", evidence=evidence)]


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
                evidence=f"{event}, last at {_moment(last['at_s'])} by the BMC's clock "
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
            evidence=f"no serious entry since {_moment(boot)} less 14 hours for time zones",
        )
    ]


def serious_events(
    events: Sequence[Mapping[str, Any]], since_s: float
) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    """Return the serious entries since a time, by sensor and event.

    What was taken back later (deasserted) is over and left out. An entry without a time is from a
    start of the BMC before it knew the time, and is left out, too.
    """
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for event in events:
        key = (event["sensor"], event["event"])
        if not event["asserted"]:
            found.pop(key, None)
            continue
        at = number(event.get("at_s"))
        words = f"{event['sensor']} {event['event']}".lower()
        if at is not None and at >= since_s and any(word in words for word in _SERIOUS):
            found.setdefault(key, []).append(event)
    return found


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))


def _readings(sensors: Iterable[Sensor]) -> str:
    return ", ".join(f"{sensor['name']}: {_reading(sensor)}" for sensor in sensors)


def _reading(sensor: Sensor) -> str:
    if sensor["value"] is not None:
        return f"{sensor['value']:g} {sensor['unit']}"
    return ", ".join(sensor["states"]) or ("no reading" if sensor["level"] == "absent" else "ok")


BMC_CHECKS = (
    HardwareCheck(
        id="system.psus",
        title="Power supplies",
        section="system",
        requires=("psus_min",),
        probes=("ipmi_sensors",),
        part="psu",
        source=_SOURCE,
        threshold="at least `system.psus_min` present, none with a fault, redundancy not lost",
        threshold_source=DECLARED + "; the BMC's own limits",
        severity="fail",
        action=_ASK,
        judge=_psus,
    ),
    HardwareCheck(
        id="system.fans",
        title="Fans",
        section="system",
        requires=("fans_min",),
        probes=("ipmi_sensors",),
        part="fan",
        source=_SOURCE,
        threshold="at least `system.fans_min` with a reading, none critical or standing still; one "
        "beyond its warning limit warns",
        threshold_source=DECLARED + "; the BMC's own limits",
        severity="fail",
        action=_ASK,
        judge=_fans,
    ),
    HardwareCheck(
        id="system.sensors",
        title="Temperatures and voltages",
        section="system",
        requires=("sensors",),
        probes=("ipmi_sensors",),
        part="sensor",
        source=_SOURCE,
        threshold="a sensor beyond its critical limit fails, beyond its warning limit warns",
        threshold_source="the BMC's own limits",
        severity="fail",
        action=_ASK,
        judge=_sensors,
    ),
    HardwareCheck(
        id="system.events",
        title="Event log of the BMC",
        section="system",
        requires=("event_log",),
        probes=("ipmi_events",),
        part="sensor",
        source="ipmitool sel elist last 200; /proc/stat",
        threshold="no serious entry since the last boot that was not taken back later",
        threshold_source="the BMC's own words; the log has no time zone, so the 14 hours before "
        "the boot count, too, and a BMC whose clock is further off can't be judged",
        severity="warn",
        action="Run `ipmitool sel elist` as root; set the BMC's clock by `ipmitool sel time set "
        "now`, or by NTP on its web page.",
        judge=_events,
    ),
)
