"""What the management controller (BMC) says: power supplies, fans, sensors, event log."""

from __future__ import annotations

import calendar
import re
import time
from typing import Any

from .sysfs import ProbeError, Tree
from .tools import RunTool, ToolResult

_DEVICES = ("dev/ipmi0", "dev/ipmi/0", "dev/ipmidev/0")
# Without -c: that form drops the entity of every threshold sensor.
_SENSORS = ("ipmitool", "sdr", "elist")
# The newest are enough: older ones than the last boot are not judged.
_EVENTS = ("ipmitool", "sel", "elist", "last", "200")
_TIME = ("ipmitool", "sel", "time", "get")
_NUMBER = re.compile(r"[0-9A-Fa-f]{2}h")
# IPMI 2.0, table 43-13, "Entity ID codes".
_POWER_SUPPLY, _FAN, _COOLING = 10, 29, 30
# As the makers name the sensors whose entity says only "system board".
_PSU_NAME = re.compile(r"\b(PSU?|Power Supply|PWS)[ _-]?\d", re.IGNORECASE)
_FAN_NAME = re.compile(r"\b(SYS_|CPU_|REAR_|FRNT_)?FAN", re.IGNORECASE)
# Between two states; a comma inside of one ("AC out-of-range, but present") has a small letter
# after it.
_BETWEEN_STATES = re.compile(r",\s*(?=[A-Z0-9])")


def read_ipmi_sensors(tree: Tree, run: RunTool) -> list[dict[str, Any]]:
    """Return the sensors of the BMC.

    Raises:
        ProbeError: There is no BMC that the kernel knows, or it can't be asked.
    """
    return parse_sensors(_ask(tree, run, _SENSORS))


def read_ipmi_events(tree: Tree, run: RunTool) -> dict[str, Any]:
    """Return the newest entries of the BMC's event log, and when the node started.

    ``clock_offset_s`` is how far the BMC's clock, by which the entries are dated, is ahead.

    Raises:
        ProbeError: As `read_ipmi_sensors`.
    """
    match = re.search(r"^btime (\d{1,12})$", tree.text("proc/stat") or "", re.MULTILINE)
    events = parse_events(_ask(tree, run, _EVENTS))
    date, _, clock = run(_TIME).stdout.strip().partition(" ")
    told = _timestamp(date, clock)
    return {
        "boot_s": int(match.group(1)) if match else None,
        "clock_offset_s": None if told is None else round(told - time.time()),
        "events": events,
    }


def _ask(tree: Tree, run: RunTool, argv: tuple[str, ...]) -> str:
    if not any(tree.exists(device) for device in _DEVICES):
        raise ProbeError(
            "no BMC: /dev/ipmi0 is not there (modprobe ipmi_si ipmi_devintf, where there is a BMC)"
        )
    answer: ToolResult = run(argv)
    if answer.missing:
        raise ProbeError("ipmitool is not installed: install the package ipmitool")
    # It complains about single sensors on its errors and exits with 1; what it printed counts.
    if answer.rc != 0 and not answer.stdout.strip():
        if "SEL has no entries" in answer.stderr:
            return ""
        raise ProbeError(f"ipmitool: {answer.complaint}")
    return answer.stdout


def parse_sensors(text: str) -> list[dict[str, Any]]:
    """Return the sensors in the output of ``ipmitool sdr elist``.

    ``kind`` is psu, fan or other. ``level`` is ok, warning, critical, or absent (no reading).
    ``states`` are the words of a discrete sensor, ``value`` and ``unit`` the reading of an analog
    one.

    Raises:
        ProbeError: No line has this form.
    """
    sensors = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 5 and _NUMBER.fullmatch(cells[1]) and cells[4] != "Event-Only":
            sensors.append(_sensor(*cells))
    if not sensors:
        raise ProbeError(f"ipmitool: no sensor in its output: {text.strip()[:80]!r}")
    return sensors


def _sensor(name: str, number: str, status: str, entity: str, reading: str) -> dict[str, Any]:
    # "110 Watts, Presence detected": one sensor may have a reading and states.
    words = [word.strip() for word in _BETWEEN_STATES.split(reading) if word.strip()]
    analog = re.fullmatch(r"(-?\d{1,9}(?:\.\d{1,6})?) (.+)", words[0]) if words else None
    if analog:
        del words[0]
    level = {"ok": "ok", "ns": "absent"}.get(status)
    if level is None:
        # lnr, lcr, lnc, unc, ucr, unr: lower or upper; not critical, critical, not recoverable.
        level = "warning" if status.endswith("nc") else "critical"
    value = float(analog.group(1)) if analog else None
    unit = analog.group(2) if analog else None
    return {
        "name": name,
        "number": number,
        "kind": _kind(name, entity, unit),
        "entity": entity,
        "level": level,
        "value": value,
        "unit": unit,
        "states": [] if level == "absent" else words,
    }


def _kind(name: str, entity: str, unit: str | None) -> str:
    entity_id = int(entity.partition(".")[0]) if re.fullmatch(r"\d+\.\d+", entity) else -1
    if entity_id in (_FAN, _COOLING) or unit == "RPM" or _FAN_NAME.search(name):
        # A power supply's own fan belongs to the power supply.
        return "psu" if entity_id == _POWER_SUPPLY or _PSU_NAME.search(name) else "fan"
    return "psu" if entity_id == _POWER_SUPPLY or _PSU_NAME.search(name) else "other"


def parse_events(text: str) -> list[dict[str, Any]]:
    """Return the entries in the output of ``ipmitool sel elist``, oldest first.

    ``at_s`` are seconds since 1970 by the BMC's clock, read as UTC; null for an entry that was
    written before the BMC knew the time. Years have two digits since ipmitool 1.8.19, and the
    time its zone.
    """
    events = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) < 5 or not re.fullmatch(r"[0-9a-f]+", cells[0]):
            continue
        direction = next((c for c in cells[5:] if c in ("Asserted", "Deasserted")), "Asserted")
        events.append(
            {
                "id": cells[0],
                "at_s": _timestamp(cells[1], cells[2]),
                "sensor": cells[3],
                "event": cells[4],
                "asserted": direction == "Asserted",
            }
        )
    return events


def _timestamp(date: str, clock: str) -> int | None:
    numbers = re.fullmatch(r"(\d{2}/\d{2}/)(?:20)?(\d{2})", date, re.ASCII)
    hours = re.match(r"\d{2}:\d{2}:\d{2}", clock, re.ASCII)
    if not numbers or not hours:
        return None
    text = f"{numbers.group(1)}{numbers.group(2)} {hours.group()}"
    try:
        return calendar.timegm(time.strptime(text, "%m/%d/%y %H:%M:%S"))
    except ValueError:
        return None
