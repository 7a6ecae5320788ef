"""Check of the chassis: was it opened, and has somebody looked since?

An opened chassis stays a failure until a person has acknowledged it: what was done inside is not
seen by any other check. So the log counts as far back as it goes, and a sensor that is quiet again
ends nothing. Of a log that was cleared, the history remembers (`peer_comparison`).
"""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..finding import Facts, Finding, HardwareCheck, Requirements, number, part, waived
from ..node_spec import ACKNOWLEDGED, ACKNOWLEDGED_KEY
from . import ipmi_states
from .bmc_events import moment

_NONE = "none"
_AFTER = f"{_NONE} after "
#: What to do about an opened chassis.
LOOK = (
    "See who opened this machine and what was changed in it. When that is settled, set "
    f"{ACKNOWLEDGED} of this node to the present time (`date -u +%FT%TZ`), and reset the sensor on "
    "the BMC's web page."
)


def _intrusion(check: HardwareCheck, facts: Facts, wanted: Requirements) -> list[Finding]:
    whole = wanted.get("intrusion")
    if whole is False:
        return waived(check, part("sensor", "chassis"), "intrusion")
    asked = [
        section
        for key, section in (("sensors", "ipmi_sensors"), ("event_log", "ipmi_events"))
        if whole or wanted.get(key)
    ]
    unread = [section for section in asked if facts[section] is None]
    sensors = facts["ipmi_sensors"] if "ipmi_sensors" in asked else None
    log = facts["ipmi_events"] if "ipmi_events" in asked else None
    acknowledged_s = seconds_of(str(wanted.get(ACKNOWLEDGED_KEY) or ""))
    # A time to come would acknowledge what has not happened yet.
    if acknowledged_s is not None and acknowledged_s > time.time():
        acknowledged_s = None
    acknowledged = "" if acknowledged_s is None else _iso(acknowledged_s)
    expected = f"{_AFTER}{acknowledged}" if acknowledged else _NONE
    entries = _since(log or {}, acknowledged_s)
    findings = [
        check.finding(
            "fail",
            part("sensor", sensor),
            own[-1]["event"],
            expected,
            evidence=f"{own[-1]['event']} {_when(own[-1])} (entry {own[-1]['id']} of the event "
            f"log{f', the last of {len(own)}' if len(own) > 1 else ''}), not acknowledged",
            action=LOOK,
        )
        for sensor, own in entries.items()
    ]
    watching = [one for one in sensors or [] if one["level"] != "absent" and _watches(one)]
    for sensor in [one for one in watching if _says_opened(one)]:
        # An entry names its sensor by its name or, where there is none, by its number.
        names = (sensor["name"], f"#0x{sensor['number'].lower().rstrip('h')}")
        if not any(logged.endswith(names) for logged in entries):
            findings.append(_of_sensor(check, sensor, acknowledged, expected))
    if findings:
        return findings
    which = part("sensor", "chassis")
    if unread:
        reason = facts["probes"].get(unread[0], {}).get("reason") or "no reason was given"
        evidence = f"the probe {unread[0]!r} could not read its facts: {reason}"
        return [check.finding("unknown", which, None, expected, evidence=evidence)]
    if not watching and log is None:
        # Nothing watches the chassis, and nobody asked for the log.
        return []
    told = "the event log tells of none" if log is not None else ""
    quiet = ", ".join(f"{sensor['name']} is quiet" for sensor in watching)
    since = f" since it was acknowledged at {acknowledged}" if acknowledged else ""
    evidence = f"{', '.join(filter(None, (quiet, told)))}{since}"
    return [check.finding("pass", which, _NONE, expected, evidence=evidence)]


def _of_sensor(
    check: HardwareCheck, sensor: Mapping[str, Any], acknowledged: str, expected: str
) -> Finding:
    """Return what a sensor says that no entry of the log accounts for: since when is not known."""
    words = ", ".join(sensor["states"]) or f"{sensor['name']} is {sensor['level']}"
    evidence = f"{sensor['name']} says now: {words}; the event log does not tell since when"
    if acknowledged:
        evidence = (
            f"{sensor['name']} still says: {words}; it was acknowledged at {acknowledged}, and as "
            "long as the sensor is not reset, nobody sees the next opening"
        )
    return check.finding(
        "warn" if acknowledged else "fail",
        part("sensor", sensor["name"], slot=sensor["entity"]),
        words,
        expected,
        evidence=evidence,
        action="Reset the sensor on the BMC's web page." if acknowledged else LOOK,
        severity="warn" if acknowledged else "",
    )


def _watches(sensor: Mapping[str, Any]) -> bool:
    return ipmi_states.watches_the_chassis(sensor["name"]) or _says_opened(sensor)


def _says_opened(sensor: Mapping[str, Any]) -> bool:
    """Return whether a sensor says so, by its state or, where it has limits, by its level."""
    levels = {ipmi_states.level_of(state, sensor["name"]) for state in sensor["states"]}
    beyond = sensor["level"] in ("critical", "warning")
    return ipmi_states.INTRUSION in levels or (
        beyond and ipmi_states.watches_the_chassis(sensor["name"])
    )


def _since(
    log: Mapping[str, Any], acknowledged_s: float | None
) -> dict[str, list[Mapping[str, Any]]]:
    """Return the entries of an opened chassis that were not acknowledged, by sensor.

    An entry from before the BMC knew the time is as old as the dated one after it, at most.
    """
    offset = number(log.get("clock_offset_s")) or 0
    events: Sequence[Mapping[str, Any]] = log.get("events") or []
    found: dict[str, list[Mapping[str, Any]]] = {}
    for place, event in enumerate(events):
        level = ipmi_states.level_of(event["event"], event["sensor"])
        if level != ipmi_states.INTRUSION or not event["asserted"]:
            continue
        dated = (number(later.get("at_s")) for later in events[place:])
        at = next((seconds - offset for seconds in dated if seconds is not None), None)
        if acknowledged_s is None or at is None or at > acknowledged_s:
            found.setdefault(event["sensor"], []).append(event)
    return found


def _when(event: Mapping[str, Any]) -> str:
    at = number(event.get("at_s"))
    return "before the BMC knew the time" if at is None else f"at {moment(at)} by the BMC's clock"


def seconds_of(acknowledged: str) -> float | None:
    """Return the seconds since 1970 of ``2026-12-01T09:30:00Z``; None if it is no such time.

    YAML makes a time of it that is written ``2026-12-01 09:30:00+00:00``.
    """
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:Z|\+00:00)?", acknowledged)
    if not found:
        return None
    try:
        return calendar.timegm(time.strptime(" ".join(found.groups()), "%Y-%m-%d %H:%M:%S"))
    except ValueError:
        return None


def acknowledged_until(finding: Mapping[str, Any]) -> str:
    """Return the time of acknowledgement that a finding was judged with, in ISO 8601, or ""."""
    seconds = seconds_of(str(finding["expected"]).removeprefix(_AFTER))
    return "" if seconds is None else _iso(seconds)


def _iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


INTRUSION = HardwareCheck(
    id="bmc.intrusion",
    title="Chassis opened",
    section="system",
    requires=("intrusion", "sensors", "event_log"),
    # It reads whichever of the two sources is asked for: one that is unread must not hide what the
    # other tells.
    probes=(),
    part="sensor",
    source="ipmitool sdr elist; ipmitool sel elist last 200",
    threshold="fails where a sensor (`system.sensors`) or the event log (`system.event_log`; "
    "`system.intrusion`: both) tells that the chassis was opened, until "
    f"`{ACKNOWLEDGED}` is set to a later time; a sensor that still says so after that warns",
    threshold_source="IPMI 2.0, table 42-3, Physical Security; what was done to an open machine no "
    "other check sees",
    severity="fail",
    action="Load the BMC's driver (`modprobe ipmi_si ipmi_devintf`), install ipmitool, and run "
    "`ipmitool sdr elist` and `ipmitool sel elist` as root.",
    judge=_intrusion,
)
