"""What the BMC says, from ipmitool's own lines to the verdict."""

from __future__ import annotations

import copy
import time
from typing import Any

import pytest
from hardware_machines import FactsOf
from host_machines import BOOT_S

from ansible_collections.gpulab.core.plugins.module_utils.hardware.ipmi import (
    parse_events,
    parse_sensors,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.hardware import ipmi_states
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.hardware.catalogue import verify
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.verdict import verdict_of

FAN = "FAN1 | 41h | ok | 29.1 | 5600 RPM"


def judged(
    facts_of: FactsOf, spec: dict[str, Any], sensors: str = FAN, log: str = ""
) -> list[dict[str, Any]]:
    """The findings of a server whose BMC says these lines."""
    facts = copy.deepcopy(facts_of("server"))
    facts["ipmi_sensors"] = parse_sensors(sensors)
    facts["ipmi_events"]["events"] = parse_events(log)
    return verify(facts, {"system": spec})


def entries(*lines: str) -> str:
    """Entries of the event log, one a minute from an hour after the start on."""
    start = BOOT_S + 3600
    return "\n".join(
        f" {number:3x} | {time.strftime('%m/%d/%Y | %H:%M:%S', time.gmtime(start + 60 * number))} "
        f"| {line}"
        for number, line in enumerate(lines, 1)
    )


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("CPU1 Status | 70h | ok | 3.1 | Presence detected, Thermal Trip", "fail"),
        ("CPU1 Status | 70h | ok | 3.1 | IERR, Presence detected", "fail"),
        ("P2 Status | 71h | ok | 3.2 | Presence detected, Configuration Error", "fail"),
        ("P2 Status | 71h | ok | 3.2 | Presence detected, Throttled", "warn"),
        ("P2 Status | 71h | ok | 3.2 | Presence detected, Correctable machine check error", "warn"),
        ("P2 Status | 71h | ok | 3.2 | Presence detected, Terminator presence detected", "pass"),
        ("P2 Status | 71h | ok | 3.2 | ", "pass"),
        ("Drive 4 | 84h | ok | 26.4 | Drive Present, Drive Fault", "fail"),
        ("Drive 4 | 84h | ok | 26.4 | Drive Present, Predictive Failure", "fail"),
        ("Drive 4 | 84h | ok | 26.4 | Drive Present, In Failed Array", "fail"),
        ("Drive 4 | 84h | ok | 26.4 | Drive Present, In Critical Array", "warn"),
        ("Drive 4 | 84h | ok | 26.4 | Drive Present, Rebuild In Progress", "warn"),
        ("Drive 4 | 84h | ok | 26.4 | Drive Present, Hot Spare", "pass"),
        ("DIMM A1 | 50h | ok | 32.1 | Presence Detected, Uncorrectable ECC", "fail"),
        ("DIMM A1 | 50h | ok | 32.1 | Presence Detected, Correctable ECC", "warn"),
        ("DIMM A1 | 50h | ok | 32.1 | Presence Detected, Critical Overtemperature", "fail"),
        # Beyond the seventh state, which ipmitool prints from the second byte.
        ("DIMM A1 | 50h | ok | 32.1 | Spare", "pass"),
        ("PCIe | 60h | ok | 7.1 | PCI PERR", "fail"),
        ("PCIe | 60h | ok | 7.1 | Bus Fatal Error, Bus Uncorrectable error", "fail"),
        ("PCIe | 60h | ok | 7.1 | Bus Correctable error", "warn"),
        ("Slot 3 | 61h | ok | 11.3 | Fault Status, Device Installed", "fail"),
        ("Slot 3 | 61h | ok | 11.3 | Device Installed, Identify Status", "pass"),
        ("Pwr Unit | 01h | ok | 21.1 | Soft-power control failure", "fail"),
        ("Pwr Unit | 01h | ok | 21.1 | Power off/down", "pass"),
        ("PSU Link | 62h | ok | 7.1 | AC out-of-range, but present", "fail"),
        ("VBAT | 63h | ok | 40.1 | Failed", "fail"),
        ("VBAT | 63h | ok | 40.1 | Low", "warn"),
        ("VBAT | 63h | ok | 40.1 | Presence Detected", "pass"),
        ("Cable SAS | 64h | ok | 31.1 | Config Error", "fail"),
        ("Cable SAS | 64h | ok | 31.1 | Connected", "pass"),
        ("SEL | 65h | ok | 6.1 | Log full", "warn"),
        ("Watchdog | 66h | ok | 6.1 | Timer expired", "warn"),
        ("BMC Health | 67h | ok | 6.1 | Controller access degraded or unavailable", "warn"),
        ("BMC Health | 67h | ok | 6.1 | FRU failure", "fail"),
        ("GPU Tray | 68h | ok | 11.1 | Transition to Critical from less severe", "fail"),
        ("GPU Tray | 68h | ok | 11.1 | Transition to Non-critical from OK", "warn"),
        ("GPU Tray | 68h | ok | 11.1 | Transition to OK", "pass"),
        ("VR Temp | 69h | ok | 8.1 | Limit Exceeded", "warn"),
        ("VR Temp | 69h | ok | 8.1 | Limit Not Exceeded", "pass"),
        ("Drive 5 | 6Ah | ok | 26.5 | Predictive Failure Asserted", "fail"),
        ("Drive 5 | 6Ah | ok | 26.5 | Predictive Failure Deasserted", "pass"),
        ("P1 CATERR | 6Bh | ok | 3.1 | State Asserted", "warn"),
        ("CPU1 PROCHOT | 6Bh | ok | 3.1 | State Asserted", "warn"),
        ("CPU1 PROCHOT | 6Bh | ok | 3.1 | State Deasserted", "pass"),
        ("Power Good | 6Bh | ok | 3.1 | State Asserted", "pass"),
        ("Hot Swap | 6Bh | ok | 3.1 | State Asserted", "pass"),
        ("Mem Redundancy | 6Ch | ok | 8.1 | Redundancy Lost", "fail"),
        ("ACPI State | 6Dh | ok | 34.1 | S0/G0: working", "pass"),
        ("ACPI State | 6Dh | ok | 34.1 | S2: sleeping, processor context lost", "pass"),
        ("Phys Sec | 6Eh | ok | 23.1 | System unplugged from LAN", "warn"),
        # A word that is not in IPMI's tables is no pass, and hides no fault beside it.
        ("OEM Thing | 6Fh | ok | 7.1 | Flux inverted", "unknown"),
        ("OEM Thing | 6Fh | ok | 7.1 | Flux inverted, Drive Fault", "fail"),
        # Limits and states of one sensor.
        ("Inlet | 02h | unc | 7.1 | 41 degrees C", "warn"),
        ("Inlet | 02h | ucr | 7.1 | 51 degrees C", "fail"),
        # Where the spec names no number of them, these are sensors as any other.
        ("PS1 Status | C8h | ok | 10.1 | Presence detected, Failure detected", "fail"),
        ("Fan Redundancy | 75h | ok | 7.1 | Redundancy Degraded", "fail"),
    ],
)
def test_a_state_weighs_whatever_stands_beside_it(
    facts_of: FactsOf, line: str, status: str
) -> None:
    found = judged(facts_of, {"sensors": True}, f"{FAN}\n{line}")
    own = [one for one in found if one["id"] == "system.sensors"]
    assert [one["status"] for one in own] == [status]
    if status != "pass":
        assert own[0]["part"]["name"] == line.partition("|")[0].strip()
        assert verdict_of(own) == status


def test_every_word_of_ipmitool_has_one_weight() -> None:
    words = [
        *ipmi_states._FAILS,
        *ipmi_states._WARNS,
        *ipmi_states._FINE,
        *ipmi_states._INTRUSIONS,
    ]
    lowered = [word.lower() for word in words]
    assert sorted(lowered) == sorted(set(lowered))


@pytest.mark.parametrize(
    ("lines", "status", "evidence"),
    [
        # One turns; the others say that none is there, or how fast one should.
        (
            (
                "F1 Status | 40h | ok | 29.1 | Absent",
                "Fan Duty | 41h | ok | 29.2 | 40 percent",
                "FAN1 | 42h | ok | 29.3 | 5000 RPM",
            ),
            "fail",
            "1 of 1 fans turn; without a reading: F1 Status",
        ),
        (
            tuple(f"FAN{n} | 4{n}h | ok | 29.{n} | 5000 RPM" for n in (1, 2, 3)),
            "pass",
            "3 of 3 fans turn",
        ),
        (
            (
                *(f"FAN{n} | 4{n}h | ok | 29.{n} | 5000 RPM" for n in (1, 2)),
                *(f"FAN{n} Present | 5{n}h | ok | 29.{n} | Device Present" for n in (1, 2, 3)),
            ),
            "fail",
            "2 of 2 fans turn",
        ),
        (
            (
                *(f"FAN{n} | 4{n}h | ok | 29.{n} | 5000 RPM" for n in (1, 2)),
                "PSU1 Fan | 4Ah | ok | 29.7 | 7000 RPM",
            ),
            "fail",
            "2 of 2 fans turn",
        ),
        # iLO tells no turns, but each fan's speed in percent.
        (
            tuple(f"Fan {n} | 0{n}h | ok | 7.1 | 29.40 percent" for n in (1, 2, 3)),
            "pass",
            "3 of 3 fans turn",
        ),
        (
            (
                *(f"Fan {n} | 0{n}h | ok | 7.1 | 29.40 percent" for n in (1, 2)),
                "Fan 3 | 03h | ok | 7.1 | 0 percent",
            ),
            "fail",
            "2 of 3 fans turn",
        ),
        (
            (
                *(f"Fan{n} Status | 0{n}h | ok | 29.{n} | Device Present" for n in (1, 2)),
                "Fan3 Status | 03h | ok | 29.3 | Device Absent",
            ),
            "fail",
            "2 of 2 fans turn; without a reading: Fan3 Status",
        ),
        (
            (
                *(f"FAN{n} | 4{n}h | ok | 29.{n} | 5000 RPM" for n in (1, 2, 3)),
                "FAN3 Status | 4Ah | ok | 29.3 | Presence detected, Predictive Failure Asserted",
            ),
            "fail",
            "FAN3 Status",
        ),
        (
            (
                *(f"FAN{n} | 4{n}h | ok | 29.{n} | 5000 RPM" for n in (1, 2, 3)),
                "FAN3 Status | 4Ah | ok | 29.3 | Transition to Degraded",
            ),
            "warn",
            "FAN3 Status",
        ),
        (("Pump | 4Ah | ok | 30.1 | 3000 RPM",), "fail", "1 of 1 fans turn"),
    ],
)
def test_what_counts_turns_is_a_fan(
    facts_of: FactsOf, lines: tuple[str, ...], status: str, evidence: str
) -> None:
    found = judged(facts_of, {"fans_min": 3}, "\n".join(lines))
    assert verdict_of(found) == status
    assert any(evidence in one["evidence"] for one in found)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("PS2 Status | C9h | ok | 10.2 | Presence detected", "pass"),
        ("PS2 Status | C9h | ok | 10.2 | Presence detected, Power Supply Inactive", "pass"),
        ("PS2 Status | C9h | ok | 10.2 | Device Present", "pass"),
        ("PS2 Status | C9h | ok | 10.2 | AC out-of-range, but present", "fail"),
        ("PS2 Status | C9h | ok | 10.2 | Presence detected, Config Error", "fail"),
        ("PS2 Status | C9h | ok | 10.2 | Presence detected, Transition to Degraded", "warn"),
        ("PS2 Status | C9h | ok | 10.2 | Presence detected, Flux inverted", "unknown"),
        ("PS2 Status | C9h | ok | 10.2 | Device Absent", "fail"),
        ("PS2 Temp | C9h | unc | 10.2 | 61 degrees C", "warn"),
    ],
)
def test_states_of_a_power_supply(facts_of: FactsOf, line: str, status: str) -> None:
    first = "PS1 Status | C8h | ok | 10.1 | Presence detected"
    assert verdict_of(judged(facts_of, {"psus_min": 2}, f"{first}\n{line}")) == status


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (("Power Supply PS Redundancy | Redundancy Lost | Asserted",), "warn"),
        (
            (
                "Power Supply PS Redundancy | Redundancy Lost | Asserted",
                "Power Supply PS Redundancy | Fully Redundant | Asserted",
            ),
            "pass",
        ),
        # The end of the old state may be written after the start of the new one.
        (
            (
                "Power Supply #0x77 | Fully Redundant | Asserted",
                "Power Supply #0x77 | Redundancy Lost | Asserted",
                "Power Supply #0x77 | Fully Redundant | Deasserted",
            ),
            "warn",
        ),
        # Another sensor's recovery is none.
        (
            (
                "Fan #0x75 | Redundancy Lost | Asserted",
                "Power Supply #0x77 | Fully Redundant | Asserted",
            ),
            "warn",
        ),
        (("Critical Interrupt #0x02 | Transition to OK | Asserted",), "pass"),
        (("OS Critical Stop #0x03 | OS graceful shutdown | Asserted",), "pass"),
        (("Critical Interrupt #0x02 | State Asserted | Asserted",), "pass"),
        (("Boot Error #0x03 | State Asserted | Asserted",), "pass"),
        (("OS Critical Stop #0x03 | Run-time critical stop | Asserted",), "warn"),
        (("Critical Interrupt #0x02 | PCI SERR | Asserted",), "warn"),
        (
            (
                "Module / Board GPU Tray | Transition to Critical from less severe | Asserted",
                "Module / Board GPU Tray | Transition to OK | Asserted",
            ),
            "pass",
        ),
        (
            (
                "Module / Board GPU Tray | Transition to Critical from less severe | Asserted",
                "Module / Board GPU Tray | Transition to OK | Asserted",
                "Module / Board GPU Tray | Transition to Non-critical from OK | Asserted",
            ),
            "warn",
        ),
        (("Drive Slot / Bay HDD4 | In Failed Array | Asserted",), "warn"),
        (("Drive Slot / Bay HDD4 | In Critical Array | Asserted",), "warn"),
        (
            (
                "Drive Slot / Bay HDD4 | Drive Fault | Asserted",
                "Drive Slot / Bay HDD4 | Drive Fault | Deasserted",
            ),
            "pass",
        ),
        (
            (
                "Drive Slot / Bay HDD4 | Predictive Failure Asserted | Asserted",
                "Drive Slot / Bay HDD4 | Predictive Failure Deasserted | Asserted",
            ),
            "pass",
        ),
        (
            (
                "Processor P1 | Limit Exceeded | Asserted",
                "Processor P1 | Limit Not Exceeded | Asserted",
            ),
            "pass",
        ),
        (
            (
                "Fan FAN1 | Lower Critical going low  | Asserted | Reading 300 < Threshold 500 RPM",
                "Fan FAN1 | Lower Critical going high | Asserted | Reading 900 > Threshold 500 RPM",
            ),
            "pass",
        ),
        (("Temperature CPU1 | Upper Non-critical going high | Asserted",), "warn"),
        (("Memory #0x10 | Correctable ECC (@DIMMA1(CPU1)) | Asserted",), "warn"),
        (("Power Supply PS1 | Config Error: Vendor Mismatch | Asserted",), "warn"),
        (("System Firmwares #0x06 | Unrecoverable system-board failure | Asserted",), "warn"),
        (("System Firmwares #0x06 | Memory initialization | Asserted",), "pass"),
        (("Watchdog2 #0xca | Timer expired | Asserted",), "warn"),
        (("Slot / Connector PCIe3 | Fault Status | Asserted",), "warn"),
        # No word of IPMI's: the maker's own text.
        (("OEM #0x10 | Fatal link error on riser 2 | Asserted",), "warn"),
        (("OEM #0x10 | Firmware updated | Asserted",), "pass"),
        (("Management Subsys Health #0x10 | Sensor failure | Asserted",), "warn"),
    ],
)
def test_an_entry_is_judged_by_its_state_and_ended_by_another(
    facts_of: FactsOf, lines: tuple[str, ...], status: str
) -> None:
    found = judged(facts_of, {"event_log": True}, log=entries(*lines))
    own = [one for one in found if one["id"] == "system.events"]
    assert verdict_of(own) == status


QUIET = "Chassis Intru | AAh | ok | 23.1 | "
OPEN = "Chassis Intru | AAh | ok | 23.1 | General Chassis intrusion"
BOTH = {"sensors": True, "event_log": True}
OPENED = "Physical Security #0xaa | General Chassis intrusion | Asserted"
CLOSED = "Physical Security #0xaa | General Chassis intrusion | Deasserted"
BEFORE, AFTER = (
    time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(BOOT_S + offset)) for offset in (0, 7200)
)


@pytest.mark.parametrize(
    ("sensors", "log", "acknowledged", "status"),
    [
        (QUIET, (), "", "pass"),
        (OPEN, (), "", "fail"),
        (QUIET, (OPENED,), "", "fail"),
        # That it was closed again ends nothing.
        (QUIET, (OPENED, CLOSED), "", "fail"),
        (OPEN, (OPENED,), "", "fail"),
        (QUIET, (OPENED, CLOSED), AFTER, "pass"),
        (QUIET, (OPENED, CLOSED), AFTER.replace("T", " ").replace("Z", "+00:00"), "pass"),
        (QUIET, (OPENED,), BEFORE, "fail"),
        # What acknowledges nothing: a time to come, and what is no time.
        (QUIET, (OPENED,), "2199-01-01T00:00:00Z", "fail"),
        (QUIET, (OPENED,), "yes", "fail"),
        # Nobody sees the next opening before the sensor is reset.
        (OPEN, (), AFTER, "warn"),
        (OPEN, (OPENED,), AFTER, "warn"),
        ("Intrusion | 73h | ok | 7.1 | Drive Bay intrusion", (), "", "fail"),
        ("Phys Security | 73h | ok | 23.1 | State Asserted", (), "", "fail"),
        ("Chassis Intru | AAh | cr | 23.1 | 1 unspecified", (), "", "fail"),
        ("Chassis Intru | AAh | ok | 23.1 | State Deasserted", (), "", "pass"),
        (FAN, ("Physical Security #0x51 | State Asserted | Asserted",), "", "fail"),
        (FAN, ("Physical Security Cover |  | Asserted",), "", "fail"),
        (FAN, ("Physical Security #0x51 | System unplugged from LAN | Asserted",), "", "pass"),
        (FAN, ("Button #0x51 | Power Button pressed | Asserted",), "", "pass"),
        (FAN, (), "", "pass"),
    ],
)
def test_an_opened_chassis_fails_until_somebody_has_looked(
    facts_of: FactsOf, sensors: str, log: tuple[str, ...], acknowledged: str, status: str
) -> None:
    spec = {**BOTH, "intrusion_acknowledged": acknowledged}
    found = judged(facts_of, spec, sensors, entries(*log))
    own = [one for one in found if one["id"] == "bmc.intrusion"]
    assert verdict_of(own) == status
    # It is no sensor beyond its limit besides.
    assert status == "fail" or verdict_of(own) == status


def test_an_opened_chassis_says_what_and_when(facts_of: FactsOf) -> None:
    found = judged(facts_of, BOTH, QUIET, entries(OPENED, CLOSED))
    (one,) = [one for one in found if one["id"] == "bmc.intrusion"]
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(BOOT_S + 3660))
    assert one["evidence"].startswith(f"General Chassis intrusion at {when} by the BMC's clock")
    assert "node_intrusion_acknowledged" in one["action"]
    (told,) = [one for one in judged(facts_of, BOTH, OPEN) if one["id"] == "bmc.intrusion"]
    assert "says now: General Chassis intrusion" in told["evidence"]


def test_an_opening_from_before_the_bmc_knew_the_time_counts(facts_of: FactsOf) -> None:
    log = f"   1 |  Pre-Init  |0000000018| {OPENED}\n"
    spec = {**BOTH, "intrusion_acknowledged": AFTER}
    for later, status in (("", "fail"), (entries("OS Boot | C: boot completed"), "pass")):
        found = judged(facts_of, spec, QUIET, log + later)
        own = [one for one in found if one["id"] == "bmc.intrusion"]
        assert verdict_of(own) == status


def test_one_source_that_is_unread_hides_no_opening(facts_of: FactsOf) -> None:
    facts = copy.deepcopy(facts_of("server"))
    facts["ipmi_sensors"] = None
    facts["probes"]["ipmi_sensors"] = {"status": "unknown", "reason": "it hung", "seconds": 30.0}
    for log, status in (("", "unknown"), (entries(OPENED), "fail")):
        facts["ipmi_events"]["events"] = parse_events(log)
        (own,) = [one for one in verify(facts, {"system": BOTH}) if one["id"] == "bmc.intrusion"]
        assert own["status"] == status


@pytest.mark.parametrize(
    ("spec", "status"),
    [
        ({"intrusion": True}, "fail"),
        ({"intrusion": True, "sensors": False}, "fail"),
        # A board without a switch at its lid.
        ({"intrusion": False, **BOTH}, "pass"),
    ],
)
def test_the_chassis_is_asked_for_by_itself(
    facts_of: FactsOf, spec: dict[str, bool], status: str
) -> None:
    for sensors, log in ((OPEN, ""), (QUIET, entries(OPENED))):
        found = judged(facts_of, spec, sensors, log)
        (own,) = [one for one in found if one["id"] == "bmc.intrusion"]
        assert own["status"] == status


@pytest.mark.parametrize("spec", [{"sensors": False, "event_log": False}, {"event_log": False}])
def test_nobody_is_told_of_a_chassis_that_nothing_watches(
    facts_of: FactsOf, spec: dict[str, bool]
) -> None:
    found = judged(facts_of, spec, OPEN)
    assert not [one for one in found if one["id"] == "bmc.intrusion"]
    found = judged(facts_of, {"sensors": True})
    assert not [one for one in found if one["id"] == "bmc.intrusion"]
