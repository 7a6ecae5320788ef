"""What the states of discrete IPMI sensors mean: for each word of ipmitool, fault or no fault.

The states are those of IPMI 2.0, tables 42-2 (generic) and 42-3 (by sensor type); the words are
ipmitool's, `include/ipmitool/ipmi_sel.h`, which have been the same from 1.8.8 to its newest commit
of January 2023. The tables name the states and weigh them only in part (generic type 07h): where
they do not, a part that has failed, or says that it will, fails; what lessens the node, or a
warning, warns; what says where something is or what was done to it is in order. That weighing is
our own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

FAIL, WARN, OK = "fail", "warn", "ok"
#: The chassis was opened: judged by a check of its own.
INTRUSION = "intrusion"

# Sensor type 05h, Physical Security.
_INTRUSIONS = (
    *("General Chassis intrusion", "Drive Bay intrusion", "I/O Card area intrusion"),
    *("Processor area intrusion", "Unauthorized dock", "FAN area intrusion"),
)
_FAILS = (
    # Generic: 01h and sensors of VITA, 04h, 07h, 0Ah.
    *("Lower Critical going low", "Lower Non-recoverable going low"),
    *("Upper Critical going high", "Upper Non-recoverable going high"),
    *("At or below Lower Critical", "At or below Lower Non-recoverable"),
    *("At or above Upper Critical", "At or above Upper Non-recoverable"),
    *("Predictive Failure Asserted", "Transition to Critical from less severe"),
    *("Transition to Non-recoverable from less severe", "Transition to Non-recoverable"),
    *("Transition to Critical from Non-recoverable", "Install Error"),
    # Redundancy, 0Bh: the next failure stops the node.
    *("Redundancy Lost", "Redundancy Degraded", "Non-Redundant: Sufficient from Redundant"),
    *("Non-Redundant: Sufficient from Insufficient", "Non-Redundant: Insufficient Resources"),
    *("Redundancy Degraded from Fully Redundant", "Redundancy Degraded from Non-Redundant"),
    # Processor.
    *("IERR", "Thermal Trip", "FRB1/BIST failure", "FRB2/Hang in POST failure"),
    *("FRB3/Processor startup/init failure", "Configuration Error"),
    *("SM BIOS Uncorrectable CPU-complex Error", "Uncorrectable machine check exception"),
    # Power supply, power unit.
    *("Failure detected", "Predictive failure", "Power Supply AC lost", "AC lost or out-of-range"),
    *("AC out-of-range, but present", "Config Error", "Config Error: Vendor Mismatch"),
    *("Config Error: Revision Mismatch", "Config Error: Processor Missing"),
    *("Config Error: Power Supply Rating Mismatch", "Config Error: Voltage Rating Mismatch"),
    *("240VA power down", "AC lost", "Soft-power control failure"),
    # Memory.
    *("Uncorrectable ECC", "Parity", "Memory Scrub Failed", "Memory Device Disabled"),
    "Critical Overtemperature",
    # Drive slot.
    *("Drive Fault", "In Failed Array", "Rebuild Aborted"),
    # System firmware: errors and hangs.
    *("No system memory installed", "No usable system memory", "Unrecoverable IDE device failure"),
    *("Unrecoverable system-board failure", "Unrecoverable diskette failure"),
    "Unrecoverable hard-disk controller failure",
    "Unrecoverable PS/2 or USB keyboard failure",
    *("Unrecoverable video controller failure", "BIOS corruption detected"),
    *("CPU voltage mismatch", "CPU speed mismatch failure", "Unknown Error", "Unknown Hang"),
    # System event, critical interrupt, chip set.
    *("Undetermined system hardware failure", "I/O Channel check NMI", "PCI PERR", "PCI SERR"),
    *("Bus Uncorrectable error", "Fatal NMI", "Bus Fatal Error", "Soft Power Control Failure"),
    # Slot, management subsystem, battery.
    *("Fault Status", "FRU failure", "Failed"),
    # Kontron.
    *("Hotswap Fault", "Hardware Power Failure", "Failure (see data2)", "Failure", "Fail"),
)
_WARNS = (
    *("Lower Non-critical going low", "Upper Non-critical going high"),
    *("At or below Lower Non-critical", "At or above Upper Non-critical"),
    *("Limit Exceeded", "Performance Lags", "Transition to Non-critical from OK"),
    *("Transition to Non-critical from more severe", "Transition to Degraded"),
    # Physical and platform security.
    *("System unplugged from LAN", "Front Panel Lockout violation attempted"),
    *("Pre-boot password violation - user password", "Other pre-boot password violation"),
    "Pre-boot password violation - setup password",
    "Pre-boot password violation - network boot password",
    "Out-of-band access password violation",
    # Processor, memory, power unit, drive slot.
    *("Disabled", "Throttled", "Correctable machine check error", "Correctable ECC"),
    *("Correctable ECC logging limit reached", "Interlock power down", "In Critical Array"),
    "Rebuild In Progress",
    # Event log, watchdogs, critical interrupt.
    *("Correctable memory error logging disabled", "Event logging disabled", "Log full"),
    *("All event logging disabled", "BIOS Reset", "OS Reset", "OS Shut Down", "OS Power Down"),
    *("OS Power Cycle", "OS NMI/Diag Interrupt", "OS Expired", "Timer expired", "Hard reset"),
    *("NMI/Diag Interrupt", "Bus Timeout", "Software NMI", "EISA failsafe timeout"),
    *("Bus Correctable error", "Bus Degraded"),
    # The operating system's end.
    *("Error during system startup", "Run-time critical stop", "Installation failed"),
    # LAN, management subsystem, battery, version, FRU.
    *("Heartbeat Lost", "Sensor access degraded or unavailable", "Sensor failure"),
    *("Controller access degraded or unavailable", "Management controller off-line"),
    *("Management controller unavailable", "Low", "Hardware incompatibility detected"),
    *("Firmware or software incompatibility detected", "Invalid or unsupported hardware version"),
    *("Invalid or unsupported firmware or software version", "Communication lost"),
    # Kontron.
    *("First Boot After Rollback(error)", "First Boot After Errors (watchdog)"),
    *("Firmware Watchdog Bite, reset occurred", "Hardware Watchdog", "Post Error (see data2)"),
)
# Presence; a slot that is empty, or a part that rests, is no fault by itself.
PRESENT = ("Presence detected", "Device Present", "Drive Present", "Present", "Device Installed")
ABSENT = ("Device Absent", "Absent", "Not Installed")
FULLY_REDUNDANT = "Fully Redundant"
_FINE = (
    *PRESENT,
    *ABSENT,
    FULLY_REDUNDANT,
    *("Lower Non-critical going high", "Lower Critical going high"),
    *("Lower Non-recoverable going high", "Upper Non-critical going low"),
    *("Upper Critical going low", "Upper Non-recoverable going low"),
    *("Transition to Idle", "Transition to Active", "Transition to Busy", "State Deasserted"),
    *("Predictive Failure Deasserted", "Limit Not Exceeded", "Performance Met"),
    *("Transition to OK", "Monitor", "Informational", "Device Disabled", "Device Enabled"),
    *("Transition to Running", "Transition to In Test", "Transition to Power Off"),
    *("Transition to On Line", "Transition to Off Line", "Transition to Off Duty"),
    *("Transition to Power Save", "D0 Power State", "D1 Power State", "D2 Power State"),
    *("D3 Power State", "Terminator presence detected", "Power Supply Inactive"),
    *("Power off/down", "Power cycle", "Power down", "Spare", "Hot Spare"),
    *("Parity Check In Progress", "Unspecified", "Removable boot media not found"),
    *("No video device selected", "Unknown Progress", "Memory initialization"),
    *("Hard-disk initialization", "Secondary CPU Initialization", "User authentication"),
    *("User-initiated system setup", "USB resource configuration", "PCI resource configuration"),
    *("Option ROM initialization", "Video initialization", "Cache initialization"),
    *("SMBus initialization", "Keyboard controller initialization"),
    *("Management controller initialization", "Docking station attachment"),
    *("Enabling docking station", "Docking station ejection", "Disabling docking station"),
    *("Calling operating system wake-up vector", "System boot initiated"),
    *("Motherboard initialization", "reserved", "Floppy initialization", "Keyboard test"),
    *("Pointing device test", "Primary CPU initialization", "Log area reset/cleared"),
    *("Log almost full", "OS pre-timeout Interrupt", "System Reconfigured"),
    *("OEM System boot event", "Entry added to auxiliary log", "PEF Action"),
    *("Timestamp Clock Sync", "Power Button pressed", "Sleep Button pressed"),
    *("Reset Button pressed", "FRU Latch", "FRU Service", "Connected", "Initiated by power up"),
    *("Initiated by hard reset", "Initiated by warm reset", "User requested PXE boot"),
    *("Automatic boot to diagnostic", "OS initiated hard reset", "OS initiated warm reset"),
    # What could not be booted from was passed over: the node answers.
    *("System Restart", "No bootable media", "Non-bootable disk in drive", "PXE server not found"),
    *("Invalid boot sector", "Timeout waiting for selection", "A: boot completed"),
    *("C: boot completed", "PXE boot completed", "Diagnostic boot completed"),
    *("CD-ROM boot completed", "ROM boot completed", "boot completed - device not specified"),
    *("Installation started", "Installation completed", "Installation aborted"),
    *("OS graceful stop", "OS graceful shutdown", "PEF initiated soft shutdown"),
    *("Agent not responding", "Identify Status", "Ready for Device Installation"),
    *("Ready for Device Removal", "Slot Power is Off", "Device Removal Request", "Interlock"),
    *("Slot is Disabled", "Spare Device", "S0/G0: working"),
    "S1: sleeping with system hw & processor context maintained",
    "S2: sleeping, processor context lost",
    "S3: sleeping, processor & hw context lost, memory retained",
    *("S4: non-volatile sleep/suspend-to-disk", "S5/G2: soft-off", "S4/S5: soft-off"),
    *("G3: mechanical off", "Sleeping in S1/S2/S3 state", "G1: sleeping"),
    *("S5: entered by override", "Legacy ON state", "Legacy OFF state", "Unknown"),
    *("Timer interrupt", "Platform generated page", "Platform generated LAN alert"),
    *("Platform Event Trap generated", "Platform generated SNMP trap", "OEM format"),
    *("Heartbeat", "Hardware change detected", "Firmware or software change detected"),
    *("Hardware change success", "Firmware or software change success", "Inactive"),
    *("Activation Requested", "Activation in Progress", "Active", "Deactivation Requested"),
    *("Deactivation in Progress", *(f"Transition to M{state}" for state in range(8))),
    *("IPMB-A disabled", "IPMB-B disabled", "IPMB-A enabled", "IPMB-B enabled"),
    *("IPMP-B enabled", "Module Handle Closed", "Module Handle Opened", "Quiesced"),
    # Kontron: why it started, how its firmware fares.
    *("Push Button", "Bridge Reset", "Backplane", "Hotswap Healty", "ITP", "Software Reset"),
    *("IPMB L Disabled", "IPMB L Enabled", "Soft Reset", "Warm Reset", "Cold Reset"),
    *("IPMI Command", "Setup Reset (Save CMOS)", "Power Up Reset", "First Boot After Upgrade"),
    *("First Boot After Manual Rollback", "Not Loaded", "Initializing", "Ready", "Started"),
    *("Pass", "In progress", "Success", "Deasserted"),
)
# A cable, and no cover.
_UNPLUGGED = "system unplugged from lan"
# Says only what its sensor's name says; Kontron's is the other one.
_ASSERTED = ("state asserted", "asserted")
_NAMES_A_FAULT = re.compile(
    r"err(?:or)?s?\d*\b|hot\b(?![ _-]?(?:swap|plug|spare))|\btrip|trip\b|fail(?!over)|fault"
    r"|mismatch|missing|overheat|over ?temp|alert|throttl|\bleak",
    re.IGNORECASE,
)
# Names of sensor types, which stand before the sensor's own name in the event log: they say what is
# watched, and not that something is wrong.
_TYPES_LIKE_FAULTS = re.compile(r"(?:Boot Error|Critical Interrupt|OS Critical Stop)\b")
_NAMES_AN_INTRUSION = re.compile(
    r"intru|phys(?:ical)?[ ._]?(?:sec|scrty)|chassis open", re.IGNORECASE
)
_LEVELS = {
    word.lower(): level
    for level, words in ((FAIL, _FAILS), (WARN, _WARNS), (OK, _FINE), (INTRUSION, _INTRUSIONS))
    for word in words
}
_LONGEST_FIRST = sorted(_LEVELS, key=len, reverse=True)
# States of which a sensor has one at a time: the newer ends the older. By IPMI's generic types.
_ONE_OF = (
    ("fully redundant", "redundancy", "non-redundant"),
    ("transition to ok", "transition to non-", "transition to critical", "monitor", "information"),
    ("predictive failure asserted", "predictive failure deasserted"),
    ("limit not exceeded", "limit exceeded"),
    ("performance met", "performance lags"),
    ("state asserted", "state deasserted"),
    ("lower non-critical",),
    ("lower critical",),
    ("lower non-recoverable",),
    ("upper non-critical",),
    ("upper critical",),
    ("upper non-recoverable",),
    (
        *("transition to running", "transition to in test", "transition to power off"),
        *("transition to on line", "transition to off line", "transition to off duty"),
        *("transition to degraded", "transition to power save", "install error"),
    ),
    ("device absent", "device present"),
    ("connected", "config error"),
    ("heartbeat",),
    ("present", "absent", "disabled"),
    ("communication lost", "not installed", "inactive", "activ", "deactivation"),
)


def level_of(state: str, sensor: str) -> str | None:
    """Return `FAIL`, `WARN`, `OK` or `INTRUSION` for a state, or None where its word is unknown.

    Args:
        state: As ipmitool prints it, of a reading or of an entry of the event log, where something
            of the maker's may follow in brackets.
        sensor: The sensor's name: "State Asserted" means what its name means, and what a sensor of
            the chassis says that is not in order means that the chassis is open.
    """
    word = _plain(state)
    if word in _ASSERTED:
        if watches_the_chassis(sensor):
            return INTRUSION
        return WARN if _NAMES_A_FAULT.search(_TYPES_LIKE_FAULTS.sub("", sensor)) else OK
    known = _LEVELS.get(_beginning(word))
    if known != OK and watches_the_chassis(sensor) and not word.startswith(_UNPLUGGED):
        return INTRUSION
    return known


def watches_the_chassis(sensor: str) -> bool:
    """Return whether a sensor tells, by its name or its type's, that the chassis was opened."""
    return _NAMES_AN_INTRUSION.search(sensor) is not None


def worst(states: Iterable[str], sensor: str) -> tuple[str, list[str]]:
    """Return the worst level of a sensor's states, and which states have it.

    One that is unknown is worse than none and less than a known fault.
    """
    levels = [(level_of(state, sensor), state) for state in states]
    for level in (FAIL, WARN, None):
        named = [state for known, state in levels if known == level]
        if named:
            return level or "unknown", named
    return OK, []


def family(state: str) -> int | None:
    """Return which set of exclusive states a state is of: the newest of a set ends the others."""
    word = _plain(state)
    sets = (number for number, words in enumerate(_ONE_OF) if word.startswith(words))
    return next(sets, None)


def one_of(states: Iterable[str], words: Iterable[str]) -> bool:
    """Return whether one of a sensor's states is one of these words."""
    return not {_plain(state) for state in states}.isdisjoint(word.lower() for word in words)


def _plain(state: str) -> str:
    return " ".join(state.lower().split())


def _beginning(word: str) -> str:
    """Return the known word that this one is or begins with, what follows being the maker's."""
    return next(
        (
            known
            for known in _LONGEST_FIRST
            if word == known or word.startswith((f"{known} (", f"{known}, ", f"{known} @"))
        ),
        "",
    )
