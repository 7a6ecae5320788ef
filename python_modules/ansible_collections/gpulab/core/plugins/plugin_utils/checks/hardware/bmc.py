"""Checks of what the sensors of the management controller (BMC) say: power supplies, fans, all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..finding import DECLARED, Facts, Finding, HardwareCheck, Requirements, part, waived
from . import ipmi_states
from .ipmi_states import FAIL, OK, WARN

Sensor = Mapping[str, Any]

_SOURCE = "ipmitool sdr elist"
_ASK = (
    "Load the BMC's driver (`modprobe ipmi_si ipmi_devintf`), install ipmitool, and run "
    "`ipmitool sdr elist` as root. A machine without a BMC can't declare this."
)
# A control's output says how fast a fan should turn, and not that it does.
_DUTY = re.compile(r"duty|pwm|zone|ctrl|control", re.IGNORECASE)
_RUNNING = (*ipmi_states.PRESENT, "Transition to Running")


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
    faulty = {name: own for name, own in supplies.items() if any(map(_failed, own))}
    absent = {
        name: own for name, own in supplies.items() if name not in faulty and not _is_present(own)
    }
    present = len(supplies) - len(absent)
    findings = [
        check.finding(
            "fail",
            part("psu", next(filter(_failed, own))["name"], slot=name),
            _readings(filter(_failed, own)),
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
    findings += [
        finding
        for own in supplies.values()
        for sensor in own
        for finding in _lesser(
            check,
            sensor,
            part("psu", sensor["name"], slot=_supply(sensor)),
            "Look at this power supply's lamp and air way; replace it if this stays.",
        )
    ]
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
        return ipmi_states.one_of(states, ipmi_states.PRESENT)
    return any(sensor["level"] != "absent" for sensor in own)


def _supply(sensor: Sensor) -> str:
    """Return which power supply a sensor belongs to: entity 10.2 is the second."""
    entity_id, _, instance = sensor["entity"].partition(".")
    if entity_id == "10":
        return f"PSU {instance}"
    named = re.search(r"\d+", sensor["name"])
    return f"PSU {named.group()}" if named else str(sensor["name"])


def _condition(sensor: Sensor) -> tuple[str, str]:
    """Return what a sensor says of its part (pass, warn, fail, unknown), and by which words.

    Its limits are the BMC's; a discrete sensor has none and is always "ok": its states are judged.
    """
    state, named = ipmi_states.worst(sensor["states"], sensor["name"])
    if sensor["level"] == "critical":
        return "fail", f"{_reading(sensor)}, beyond its critical limit"
    if state != FAIL and sensor["level"] == "warning":
        return "warn", f"{_reading(sensor)}, beyond its warning limit"
    return {OK: "pass", WARN: "warn", FAIL: "fail"}.get(state, "unknown"), ", ".join(named)


def _failed(sensor: Sensor) -> bool:
    return _condition(sensor)[0] == "fail"


def _lesser(
    check: HardwareCheck, sensor: Sensor, which: Mapping[str, str], action: str
) -> list[Finding]:
    """Return the warning of a sensor that says less than a failure, or that nobody understands."""
    status, words = _condition(sensor)
    if status == "warn":
        return [
            check.finding(
                "warn",
                which,
                _reading(sensor),
                "ok",
                evidence=f"{sensor['name']}: {words}",
                action=action,
                severity="warn",
            )
        ]
    return [_unknown_state(check, sensor, which, words)] if status == "unknown" else []


def _unknown_state(
    check: HardwareCheck, sensor: Sensor, which: Mapping[str, str], words: str
) -> Finding:
    return check.finding(
        "unknown",
        which,
        None,
        "ok",
        evidence=f"{sensor['name']} says {words!r}, which is none of IPMI's states",
        action="See in the maker's manual of the BMC what this state means.",
    )


def _is_redundancy(sensor: Sensor) -> bool:
    return "redun" in sensor["name"].lower() or any("edundan" in s for s in sensor["states"])


def _redundant(sensor: Sensor) -> str:
    """Return of which kind of part a redundancy sensor speaks."""
    return "fan" if "fan" in sensor["name"].lower() or sensor["kind"] == "fan" else "psu"


def _redundancy(check: HardwareCheck, facts: Facts, kind: str) -> list[Finding]:
    """Return a failure for each redundancy sensor of the kind that tells of a loss."""
    findings = []
    for sensor in facts["ipmi_sensors"]:
        status, lost = ipmi_states.worst(sensor["states"], sensor["name"])
        if _is_redundancy(sensor) and status == FAIL and _redundant(sensor) == kind:
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
    counted = _counted(fans)
    failed = [sensor for sensor in fans if _failed(sensor) or _stands_still(sensor, counted)]
    silent = [
        sensor
        for sensor in fans
        if sensor["level"] == "absent" or ipmi_states.one_of(sensor["states"], ipmi_states.ABSENT)
    ]
    turning = len([sensor for sensor in counted if sensor not in failed])
    evidence = f"{turning} of {len(counted)} fans turn"
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
        finding
        for sensor in fans
        if sensor not in failed
        for finding in _lesser(
            check,
            sensor,
            part("fan", sensor["name"], slot=sensor["entity"]),
            "Clean this fan and look again; replace it if it stays slow.",
        )
    ]
    return findings or [
        check.finding(
            "pass", part("fan", "all fans"), turning, expected, unit="fans", evidence=evidence
        )
    ]


def _counted(fans: Sequence[Sensor]) -> list[Sensor]:
    """Return the sensors that each stand for one fan.

    Those are the ones that count turns. Where a BMC has none of them (HPE's iLO), they are those
    that tell each fan's speed in percent, and else those that say that one is there or runs.
    """
    read = [sensor for sensor in fans if sensor["level"] != "absent"]
    speeds = [sensor for sensor in read if not _DUTY.search(sensor["name"])]
    for found in (
        [sensor for sensor in read if sensor["unit"] == "RPM"],
        [sensor for sensor in speeds if sensor["unit"] == "percent"],
    ):
        if found:
            return found
    return [sensor for sensor in read if ipmi_states.one_of(sensor["states"], _RUNNING)]


def _stands_still(sensor: Sensor, counted: Sequence[Sensor]) -> bool:
    return sensor in counted and sensor["value"] == 0


def _sensors(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    whole = part("sensor", "all sensors")
    if not wanted["sensors"]:
        return waived(check, whole, "sensors")
    read = [sensor for sensor in facts["ipmi_sensors"] if sensor["level"] != "absent"]
    if not read:
        evidence = "none of the BMC's sensors has a reading"
        return [check.finding("unknown", whole, None, "ok", evidence=evidence, action=check.action)]
    # Fans and power supplies have checks of their own, where the spec asks for them.
    judged = [kind for kind, key in (("psu", "psus_min"), ("fan", "fans_min")) if key in wanted]
    action = (
        "Temperature: check air flow, filters and room. Voltage: check the power supply and the "
        "board. `ipmitool sensor get NAME` shows the limits. A state: see to the part that the "
        "sensor is named after; `ipmitool sel elist` says since when."
    )
    findings: list[Finding] = []
    for sensor in read:
        if (_redundant(sensor) if _is_redundancy(sensor) else sensor["kind"]) in judged:
            continue
        which = part("sensor", sensor["name"], slot=sensor["entity"])
        status, words = _condition(sensor)
        if status == "fail":
            evidence = f"{sensor['name']} ({sensor['number']}): {words}"
            reading = _reading(sensor)
            findings.append(
                check.finding("fail", which, reading, "ok", evidence=evidence, action=action)
            )
        else:
            findings += _lesser(check, sensor, which, action)
    evidence = f"{len(read)} sensors read"
    return findings or [check.finding("pass", whole, "ok", "ok", evidence=evidence)]


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
        threshold="at least `system.fans_min` turn (by sensors that count turns, where there is "
        "one), none critical or standing still; one beyond its warning limit warns",
        threshold_source=DECLARED + "; the BMC's own limits",
        severity="fail",
        action=_ASK,
        judge=_fans,
    ),
    HardwareCheck(
        id="system.sensors",
        title="Sensors of the BMC",
        section="system",
        requires=("sensors",),
        probes=("ipmi_sensors",),
        part="sensor",
        source=_SOURCE,
        threshold="a sensor beyond its critical limit fails, beyond its warning limit warns; a "
        "discrete one fails or warns by its state, whatever stands beside it",
        threshold_source="the BMC's own limits; IPMI 2.0, tables 42-2 and 42-3, weighed by us "
        "where they do not",
        severity="fail",
        action=_ASK,
        judge=_sensors,
    ),
)
