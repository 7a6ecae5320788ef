"""Cases of the checks of memory modules, disks' health, lines, power management and BMC."""

from __future__ import annotations

from typing import Any

from case import GIB, Case, Change, put, unread


def every(section: str, *path: Any, value: object) -> Change:
    """Return a change of all items of a list in the facts."""

    def change(facts: dict[str, Any]) -> None:
        listed = {"dimms": "slots", "topology": "paths"}.get(section)
        for item in facts[section][listed] if listed else facts[section]:
            put(*path, value=value)(item)

    return change


def _sensor(name: str, **values: object) -> Change:
    def change(facts: dict[str, Any]) -> None:
        for sensor in facts["ipmi_sensors"]:
            if sensor["name"] == name:
                sensor.update(values)

    return change


def _without(kind: str) -> Change:
    def change(facts: dict[str, Any]) -> None:
        kept = [sensor for sensor in facts["ipmi_sensors"] if sensor["kind"] != kind]
        facts["ipmi_sensors"] = kept

    return change


def _event(event: str, **values: object) -> Change:
    """Return a change that adds an entry of a minute after the boot to the log."""

    def change(facts: dict[str, Any]) -> None:
        log = facts["ipmi_events"]
        entry = {"id": "9", "at_s": log["boot_s"] + 60, "sensor": "Memory #0x10", "asserted": True}
        log["events"].append({**entry, "event": event, **values})

    return change


_SLOT = ("dimms", "slots", 0)
_DIMMS = (unread("dimms"),)
_COUNTERS = ("nic_counters", "nics", 0)
_PORT = ("infiniband", 1)

CASES = {
    "cpu.governor": Case(
        {"cpu": {"governor": "performance"}},
        (
            put("power_management", "governors", value={"powersave": 128}),
            put("power_management", "governors", value={"performance": 127, "schedutil": 1}),
        ),
        (unread("power_management"), put("power_management", "governors", value=None)),
        machine="server",
    ),
    "cpu.clocksource": Case(
        {"cpu": {"clocksources": ["tsc"]}},
        (
            put("power_management", "clocksource", value="hpet"),
            put("power_management", "clocksource", value="acpi_pm"),
        ),
        (unread("power_management"), put("power_management", "clocksource", value=None)),
        machine="server",
    ),
    "memory.dimms": Case(
        {"memory": {"dimms_min": 16, "dimm_slots": ["P1-DIMMA1", "P2-DIMMH1"]}},
        (put(*_SLOT, "installed", value=False), put(*_SLOT, "slot", value="P1-DIMMX1")),
        (*_DIMMS, put(*_SLOT, "installed", value=None)),
        machine="server",
        formats=("old-forms",),
    ),
    "memory.dimm_size": Case(
        {"memory": {"dimm_gib_min": 32}},
        (put(*_SLOT, "size_bytes", value=16 * GIB),),
        (
            *_DIMMS,
            put(*_SLOT, "size_bytes", value=None),
            every("dimms", "installed", value=None),
        ),
        machine="server",
        formats=("old-forms",),
    ),
    "memory.dimm_speed": Case(
        {"memory": {"speed_mts_min": 3200, "rated_speed": True}},
        (
            put(*_SLOT, "configured_mts", value=2933),
            every("dimms", "configured_mts", value=2400),
        ),
        (
            *_DIMMS,
            put(*_SLOT, "configured_mts", value=None),
            put(*_SLOT, "rated_mts", value=None),
            every("dimms", "installed", value=None),
        ),
        machine="server",
        formats=("old-forms",),
    ),
    "memory.balance": Case(
        {"memory": {"balanced": True}},
        (
            put(*_SLOT, "size_bytes", value=16 * GIB),
            # A whole channel of one processor is empty.
            put(*_SLOT, "installed", value=False),
        ),
        (*_DIMMS, put(*_SLOT, "channel", value=None), put(*_SLOT, "size_bytes", value=None)),
        machine="server",
        formats=("old-forms",),
    ),
    "memory.ecc": Case(
        {"memory": {"ecc": True}},
        (put("dimms", "ecc", value="Parity"), put("dimms", "ecc", value="CRC")),
        (*_DIMMS, put("dimms", "ecc", value=None)),
        machine="server",
        formats=("old-forms",),
    ),
    "memory.errors": Case(
        {"memory": {"corrected_max": 0}},
        (
            put("edac", 0, "dimms", 3, "ue", value=1),
            # Not attributed to a module.
            put("edac", 0, "ue", value=1),
        ),
        (
            unread("edac"),
            put("edac", value=[]),
            put("edac", 0, "dimms", 3, "ue", value=None),
            put("edac", 0, "ce", value=None),
        ),
        machine="server",
        formats=("old-forms",),
    ),
    "disk.smart": Case(
        {"storage": {"smart": True}},
        (
            put("smart", 0, "passed", value=False),
            put("smart", 0, "critical_warning", value=1),
            put("smart", 0, "spare_percent", value=9),
            put("smart", 0, "media_errors", value=1),
            put("smart", 0, "used_percent", value=100),
            put("smart", 1, "passed", value=False),
            put("smart", 1, "pending", value=1),
            put("smart", 1, "uncorrectable", value=1),
        ),
        (
            unread("smart"),
            unread("disks"),
            put("smart", 1, "reason", value="no answer within 16 s"),
            put("smart", 1, "passed", value=None),
            put("smart", 0, "media_errors", value=None),
            lambda facts: facts["smart"][1].update(
                reallocated=None, pending=None, uncorrectable=None
            ),
            put("smart", value=[]),
            put("disks", value=[]),
        ),
        machine="server",
        formats=("old-forms", "new-forms"),
    ),
    "nic.errors": Case(
        {"network": {"errors_max": 0}},
        (
            put(*_COUNTERS, "total", "rx_crc_errors", value=1),
            put(*_COUNTERS, "total", "rx_frame_errors", value=1),
            put(*_COUNTERS, "total", "tx_carrier_errors", value=1),
            put(*_COUNTERS, "delta", "rx_crc_errors", value=1),
        ),
        (
            unread("nic_counters"),
            put("nic_counters", "nics", value=[]),
            put(*_COUNTERS, "total", value={"rx_dropped": 7}),
        ),
        machine="server",
    ),
    "nic.link_losses": Case(
        {"network": {"link_losses_max": 5}},
        (
            put(*_COUNTERS, "total", "link_losses", value=6),
            put(*_COUNTERS, "delta", "link_losses", value=1),
        ),
        (
            unread("nic_counters"),
            put("nic_counters", "nics", value=[]),
            put(*_COUNTERS, "total", "link_losses", value=None),
        ),
        machine="server",
        formats=("old-forms",),
    ),
    "infiniband.ports": Case(
        {"infiniband": {"ports_min": 2, "rate_gbps_min": 400}},
        (
            put(*_PORT, "state", value="DOWN"),
            put(*_PORT, "state", value="INIT"),
            put(*_PORT, "rate_gbps", value=200.0),
            put("infiniband", value=[]),
        ),
        (
            unread("infiniband"),
            put(*_PORT, "state", value=None),
            put(*_PORT, "rate_gbps", value=None),
        ),
        machine="server",
    ),
    "infiniband.errors": Case(
        {"infiniband": {"errors_max": 0}},
        (
            put(*_PORT, "errors", "symbol_error", value=1),
            put(*_PORT, "errors", "link_downed", value=1),
        ),
        (
            unread("infiniband"),
            put("infiniband", value=[]),
            put(*_PORT, "errors", value={"symbol_error": None}),
        ),
        machine="server",
    ),
    "topology.gpu_nic": Case(
        {"topology": {"gpu_nic_local": True}},
        (
            every("topology", "relation", value="SYS"),
            lambda facts: [
                path.update(relation="SYS")
                for path in facts["topology"]["paths"]
                if path["device"] == "mlx5_1"
            ],
        ),
        (
            unread("topology"),
            put("topology", "paths", value=[]),
            every("topology", "relation", value=None),
        ),
        machine="server",
    ),
    "topology.acs": Case(
        {"topology": {"peer_direct": True}},
        (put("topology", "acs", 0, "redirects", value=True),),
        (
            unread("topology"),
            put("topology", "acs", value=[]),
            put("topology", "acs", 0, "redirects", value=None),
        ),
        machine="server",
    ),
    "system.psus": Case(
        {"system": {"psus_min": 2}},
        (
            _sensor("PS2 Status", states=[]),
            _sensor("PS2 Status", states=["Presence detected", "Power Supply AC lost"]),
            _sensor("PS2 Status", states=["Presence detected", "Failure detected"]),
            _sensor("PS2 Status", states=["Presence detected", "Predictive failure"]),
            _sensor("PS1 Fan", level="critical"),
            _sensor("PS Redundancy", states=["Redundancy Lost"]),
            _sensor("PS Redundancy", states=["Non-Redundant: Sufficient from Redundant"]),
        ),
        (unread("ipmi_sensors"), _without("psu")),
        machine="server",
    ),
    "system.fans": Case(
        {"system": {"fans_min": 2}},
        (
            _sensor("FAN2", level="critical"),
            _sensor("FAN2", value=0.0),
            _sensor("FAN2", level="absent", value=None),
            _sensor("Fan Redundancy", states=["Redundancy Degraded"]),
        ),
        (unread("ipmi_sensors"), _without("fan")),
        machine="server",
    ),
    "system.sensors": Case(
        {"system": {"sensors": True}},
        (
            _sensor("CPU1 Temp", level="critical"),
            # Nobody else looks at these where the spec names no number of them.
            _sensor("PS1 Fan", level="critical"),
            _sensor("FAN1", level="critical"),
        ),
        (unread("ipmi_sensors"), every("ipmi_sensors", "level", value="absent")),
        machine="server",
    ),
    "bmc.intrusion": Case(
        {"system": {"sensors": True, "event_log": True}},
        (
            _sensor("Chassis Intru", states=["General Chassis intrusion"]),
            _event("General Chassis intrusion", sensor="Physical Security #0xaa"),
        ),
        (unread("ipmi_sensors"), unread("ipmi_events")),
        machine="server",
        formats=("new-ipmitool",),
    ),
    "system.events": Case(
        {"system": {"event_log": True}},
        (
            _event("Uncorrectable ECC"),
            _event("Power Supply AC lost"),
            _event("Upper Critical going high "),
            # Written a zone's width before the boot.
            _event("Failure detected", at_s=1_763_900_000 - 13 * 3600),
        ),
        (
            unread("ipmi_events"),
            put("ipmi_events", "boot_s", value=None),
            put("ipmi_events", "clock_offset_s", value=None),
            # Before a BMC is told the time, it counts from 1970.
            put("ipmi_events", "clock_offset_s", value=-1_763_900_000),
        ),
        machine="server",
        formats=("new-ipmitool",),
    ),
}

# What warns of checks whose worst is a failure: check -> changes of the facts of the server.
WARNS: dict[str, tuple[Change, ...]] = {
    "memory.dimm_speed": (every("dimms", "rated_mts", value=3600),),
    "memory.errors": (
        put("edac", 1, "dimms", 0, "ce", value=1),
        # Not attributed to a module.
        put("edac", 1, "ce", value=1),
    ),
    "disk.smart": (
        put("smart", 0, "used_percent", value=80),
        put("smart", 0, "spare_percent", value=10),
        put("smart", 1, "reallocated", value=1),
    ),
    "system.fans": (_sensor("FAN2", level="warning"),),
    "system.sensors": (_sensor("12V", level="warning"),),
}
