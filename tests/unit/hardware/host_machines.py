"""A server with all that can be told about its parts, and what can be wrong with them.

Its names and numbers are made up; the forms are those of the kernel and of the tools.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from hardware_machines import (
    Link,
    Machine,
    bridge,
    chrony,
    cpus,
    fabric_manager,
    kernel_log,
    loopback,
    memory,
    module,
    nvme,
    sata,
    system,
)

from ansible_collections.gpulab.core.plugins.module_utils.hardware.tools import ToolResult

GIB = 1024**3
# One GPU and one adapter below a switch of each processor.
GPUS = ("0000:03:00.0", "0000:83:00.0")
ADAPTERS = ("0000:04:00.0", "0000:84:00.0")
BOOT_S = 1_763_900_000


def pci(bdf: str, path: str, device_class: str, numa: int, **files: object) -> dict[str, object]:
    real = f"sys/devices/{path}/{bdf}"
    return {
        f"sys/bus/pci/devices/{bdf}": Link(real),
        f"{real}/class": device_class,
        f"{real}/numa_node": numa,
        **{f"{real}/{name}": content for name, content in files.items()},
    }


def config(*, acs_control: int | None) -> bytes:
    """A bridge's registers: an extended capability that is not looked for, then ACS, if any."""
    registers = bytearray(4096)
    following = 0x148 if acs_control is not None else 0
    registers[0x100:0x104] = (0x0001 | 1 << 16 | following << 20).to_bytes(4, "little")
    if acs_control is not None:
        registers[0x148:0x14C] = (0x000D | 1 << 16).to_bytes(4, "little")
        registers[0x14E:0x150] = acs_control.to_bytes(2, "little")
    return bytes(registers)


def side(number: int, *, acs_control: int = 0x01) -> dict[str, object]:
    """What hangs off one processor: root port, switch, and below it a GPU and an adapter."""
    domain, bus = ("pci0000:00", "0"), ("pci0000:80", "8")
    host, digit = (domain, bus)[number]
    port, up = f"0000:{digit}0:01.0", f"0000:{digit}1:00.0"
    gpu_port, nic_port = f"0000:{digit}2:00.0", f"0000:{digit}2:01.0"
    top = f"{host}/{port}/{up}"
    registers = config(acs_control=acs_control)
    files = {
        **pci(port, host, "0x060400", number, config=config(acs_control=None)),
        **pci(up, f"{host}/{port}", "0x060400", number, config=config(acs_control=None)),
        **pci(gpu_port, top, "0x060400", number, config=registers),
        **pci(nic_port, top, "0x060400", number, config=registers),
        **pci(
            GPUS[number],
            f"{top}/{gpu_port}",
            "0x030200",
            number,
            vendor="0x10de",
            device="0x20b2",
        ),
        f"sys/devices/{top}/{gpu_port}/{GPUS[number]}/driver": Link("sys/bus/pci/drivers/nvidia"),
        **pci(ADAPTERS[number], f"{top}/{nic_port}", "0x020700", number),
    }
    return {**files, **rdma(number, f"sys/devices/{top}/{nic_port}/{ADAPTERS[number]}")}


def rdma(number: int, real: str) -> dict[str, object]:
    """An InfiniBand port, in the form of kernel 6.8."""
    device = f"mlx5_{number}"
    port = f"{real}/infiniband/{device}/ports/1"
    return {
        f"sys/class/infiniband/{device}": Link(f"{real}/infiniband/{device}"),
        f"{real}/infiniband/{device}/device": Link(real),
        f"{real}/infiniband/{device}/node_guid": f"9c63:c003:00f0:000{number}",
        f"{real}/infiniband/{device}/fw_ver": "28.39.1002",
        f"{port}/state": "4: ACTIVE",
        f"{port}/phys_state": "5: LinkUp",
        f"{port}/rate": "400 Gb/sec (4X NDR)",
        f"{port}/link_layer": "InfiniBand",
        f"{port}/counters/symbol_error": 0,
        f"{port}/counters/link_downed": 0,
        f"{port}/counters/port_rcv_errors": 0,
        f"{port}/counters/excessive_buffer_overrun_errors": "N/A (no PMA)",
        f"{port}/hw_counters/lifespan": 10,
        f"{port}/hw_counters/out_of_sequence": 3,
    }


def ethernet(name: str, *, speed: int = 25000, mac: str = "b8:ce:f6:00:00:01") -> dict:
    """A network card on the board, with its counters."""
    bdf = "0000:05:00.0"
    device = f"sys/devices/pci0000:00/0000:00:02.0/{bdf}"
    real = f"{device}/net/{name}"
    counters = ("rx_crc_errors", "rx_frame_errors", "tx_carrier_errors", "rx_errors", "tx_errors")
    return {
        **pci(bdf, "pci0000:00/0000:00:02.0", "0x020000", 0),
        f"sys/class/net/{name}": Link(real),
        f"{real}/device": Link(device),
        f"{device}/driver": Link("sys/bus/pci/drivers/mlx5_core"),
        f"{real}/flags": "0x1003",
        f"{real}/type": 1,
        f"{real}/carrier": 1,
        f"{real}/speed": speed,
        f"{real}/mtu": 9000,
        f"{real}/address": mac,
        **{f"{real}/statistics/{counter}": 0 for counter in counters},
        f"{real}/statistics/rx_dropped": 1200,
        f"{real}/statistics/tx_dropped": 0,
        f"{real}/carrier_changes": 4,
        f"{real}/carrier_down_count": 2,
    }


def edac(*, ce: int = 0, ue: int = 0, label: str = "P1-DIMMC1") -> dict[str, object]:
    """Memory controllers as the drivers of today show them: a folder for each module."""
    files: dict[str, object] = {}
    for socket in (0, 1):
        for channel in range(8):
            mc = f"sys/devices/system/edac/mc/mc{socket}"
            name = f"P{socket + 1}-DIMM{'ABCDEFGH'[channel]}1"
            dimm = f"{mc}/dimm{channel}"
            files |= {
                f"{dimm}/dimm_label": name,
                f"{dimm}/dimm_location": f"csrow 0 channel {channel}",
                f"{dimm}/dimm_ce_count": ce if name == label else 0,
                f"{dimm}/dimm_ue_count": ue if name == label else 0,
            }
        mine = label.startswith(f"P{socket + 1}")
        files |= {
            f"sys/devices/system/edac/mc/mc{socket}/mc_name": "F19h_M10h",
            f"sys/devices/system/edac/mc/mc{socket}/ce_count": ce if mine else 0,
            f"sys/devices/system/edac/mc/mc{socket}/ue_count": ue if mine else 0,
        }
    return files


def edac_rows(*, ce: int = 0, ue: int = 0) -> dict[str, object]:
    """A memory controller as kernels before 3.6 showed it: by chip-select row."""
    mc = "sys/devices/system/edac/mc/mc0"
    return {
        f"{mc}/mc_name": "i5100",
        f"{mc}/ce_count": ce,
        f"{mc}/ue_count": ue,
        f"{mc}/csrow0/ce_count": ce,
        f"{mc}/csrow0/ue_count": ue,
        f"{mc}/csrow0/ch0_ce_count": ce,
        f"{mc}/csrow0/ch0_dimm_label": "DIMM_A1",
        f"{mc}/csrow0/ch1_ce_count": 0,
        f"{mc}/csrow0/ch1_dimm_label": "DIMM_B1",
    }


def power_management(governor: str = "performance", clocksource: str = "tsc") -> dict[str, object]:
    clock = "sys/devices/system/clocksource/clocksource0"
    return {
        **{
            f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor": governor
            for cpu in range(128)
        },
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_driver": "amd-pstate",
        f"{clock}/current_clocksource": clocksource,
        f"{clock}/available_clocksource": "tsc hpet acpi_pm ",
    }


def bay(name: str, slot: str) -> dict[str, object]:
    """The link that the kernel's enclosure driver puts beside a disk."""
    real = f"sys/devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/{name}"
    return {f"{real}/device/enclosure_device:{slot}": Link("sys/class/enclosure/0:0:8:0")}


def _memory_device(locator: str, bank: str, fields: Sequence[tuple[str, object]]) -> str:
    lines = [
        "Handle 0x0029, DMI type 17, 92 bytes",
        "Memory Device",
        "\tArray Handle: 0x0027",
        *(f"\t{name}: {value}" for name, value in (("Locator", locator), ("Bank Locator", bank))),
        *(f"\t{name}: {value}" for name, value in fields),
    ]
    return "\n".join(lines)


def dimms(
    *,
    missing: Sequence[str] = (),
    slow: Sequence[str] = (),
    version: str = "3.5",
    correction: str = "Multi-bit ECC",
) -> ToolResult:
    """16 modules of 32 GiB in 32 slots, in dmidecode's words of a version.

    The speed was a "clock" in MHz until 3.1, and has been transfers since.
    """
    old = version < "3.2"
    unit, configured = (
        ("MHz", "Configured Clock Speed") if old else ("MT/s", "Configured Memory Speed")
    )
    records = [
        (
            "Handle 0x0027, DMI type 16, 23 bytes\nPhysical Memory Array\n"
            f"\tUse: System Memory\n\tError Correction Type: {correction}\n\tMaximum Capacity: 4 TB"
        )
    ]
    running = 2933 if slow else 3200
    for socket in (1, 2):
        for channel in "ABCDEFGH":
            for place in (1, 2):
                locator = f"P{socket}-DIMM{channel}{place}"
                bank = f"P{socket - 1}_Node0_Channel{'ABCDEFGH'.index(channel)}_Dimm{place - 1}"
                if place == 2 or locator in missing:
                    fields = [
                        ("Size", "No Module Installed"),
                        ("Type", "Unknown"),
                        ("Speed", "Unknown"),
                        ("Manufacturer", "NO DIMM"),
                        ("Serial Number", "NO DIMM"),
                        (configured, "Unknown"),
                    ]
                else:
                    rated = 2933 if locator in slow else 3200
                    fields = [
                        ("Size", "32768 MB" if old else "32 GB"),
                        ("Type", "DDR4"),
                        ("Speed", f"{rated} {unit}"),
                        ("Manufacturer", "Samsung"),
                        ("Serial Number", f"H0KE{socket}{channel}{place}"),
                        ("Part Number", "M393A4K40EB3-CWE    "),
                        ("Rank", 2),
                        (configured, f"{running} {unit}"),
                    ]
                records.append(_memory_device(locator, bank, fields))
    # Firmware's own chip, which is no memory.
    records.append(_memory_device("BIOS", "", [("Size", "32 MB"), ("Type", "Flash")]))
    text = "\n\n".join(records)
    head = f"# dmidecode {version}\nGetting SMBIOS data from sysfs.\nSMBIOS 3.3.0 present.\n\n"
    return ToolResult(0, f"{head}{text}\n")


def slots() -> ToolResult:
    """Firmware names a slot by the card in it, or by the port above it."""
    return ToolResult(
        0,
        f"""# dmidecode 3.5
Getting SMBIOS data from sysfs.
SMBIOS 3.3.0 present.

Handle 0x0035, DMI type 9, 24 bytes
System Slot Information
\tDesignation: CPU1 SLOT1 PCI-E 4.0 X16
\tType: x16 PCI Express 4 x16
\tCurrent Usage: In Use
\tLength: Long
\tCharacteristics:
\t\t3.3 V is provided
\t\tPME signal is supported
\tBus Address: {GPUS[0]}

Handle 0x0036, DMI type 9, 24 bytes
System Slot Information
\tDesignation: CPU2 SLOT4 PCI-E 4.0 X16
\tType: x16 PCI Express 4 x16
\tCurrent Usage: In Use
\tBus Address: 0000:80:01.0

Handle 0x0037, DMI type 9, 24 bytes
System Slot Information
\tDesignation: M.2 SLOT
\tCurrent Usage: Available
\tBus Address: 0000:ff:1f.7
""",
    )


def smart_nvme(
    serial: str = "S64HNE0R501234", *, version: Sequence[int] = (7, 4), rc: int = 0, **log: int
) -> ToolResult:
    """The health of an NVMe disk."""
    entries = {
        "critical_warning": 0,
        "temperature": 38,
        "available_spare": 100,
        "available_spare_threshold": 10,
        "percentage_used": 3,
        "power_on_hours": 21000,
        "media_errors": 0,
        "num_err_log_entries": 0,
        **log,
    }
    passed = not entries["critical_warning"]
    document: dict[str, Any] = {
        "json_format_version": [1, 0],
        "smartctl": {"version": list(version), "exit_status": rc},
        "device": {"name": "/dev/nvme0n1", "type": "nvme", "protocol": "NVMe"},
        "model_name": "SAMSUNG MZQL23T8HCLS-00A07",
        "serial_number": serial,
        "smart_status": {"passed": passed, "nvme": {"value": entries["critical_warning"]}},
        "nvme_smart_health_information_log": entries,
        "temperature": {"current": 38},
        "power_on_time": {"hours": 21000},
    }
    return ToolResult(rc, json.dumps(document))


def smart_ata(
    serial: str = "ZJV0A1B2", *, passed: bool = True, rc: int = 0, **raw: int
) -> ToolResult:
    """The health of a SATA disk; `raw` are the counts of replaced and unreadable sectors."""
    names = {
        5: ("Reallocated_Sector_Ct", "reallocated"),
        187: ("Reported_Uncorrect", "uncorrectable"),
        197: ("Current_Pending_Sector", "pending"),
        198: ("Offline_Uncorrectable", "offline"),
    }
    table = [
        {
            "id": number,
            "name": name,
            "value": 100,
            "worst": 100,
            "thresh": 10,
            "when_failed": "",
            "raw": {"value": raw.get(key, 0), "string": str(raw.get(key, 0))},
        }
        for number, (name, key) in names.items()
    ]
    document = {
        "json_format_version": [1, 0],
        "smartctl": {"version": [7, 2], "exit_status": rc},
        "device": {"name": "/dev/sda", "type": "sat", "protocol": "ATA"},
        "model_name": "ST12000NM0127-2L",
        "serial_number": serial,
        "smart_status": {"passed": passed},
        "ata_smart_attributes": {"revision": 10, "table": table},
        "power_on_time": {"hours": 30000},
    }
    return ToolResult(rc, json.dumps(document))


def smart_scsi(
    *, version: Sequence[int] = (7, 0), grown: int = 0, uncorrected: int = 0, used: int = 5
) -> ToolResult:
    """The health of a SAS SSD: the wear has another name since 7.4."""
    errors = {"total_uncorrected_errors": uncorrected}
    document: dict[str, Any] = {
        "json_format_version": [1, 0],
        "smartctl": {"version": list(version), "exit_status": 0},
        "device": {"name": "/dev/sda", "type": "scsi", "protocol": "SCSI"},
        "scsi_model_name": "HUSMM1680ASS200",
        "serial_number": "0QV1NUJA",
        "smart_status": {"passed": True},
        "scsi_grown_defect_list": grown,
        "scsi_error_counter_log": {"read": errors, "write": {"total_uncorrected_errors": 0}},
        "power_on_time": {"hours": 9000},
    }
    if tuple(version) < (7, 4):
        document["scsi_percentage_used_endurance_indicator"] = used
    else:
        document["endurance_used"] = {"current_percent": used}
    return ToolResult(0, json.dumps(document))


def sensors(*changed: str, without: Sequence[str] = ()) -> ToolResult:
    """The answer of ``ipmitool sdr elist``; a changed line replaces the one of its name."""
    lines = [
        "CPU1 Temp        | 01h | ok  |  3.1 | 48 degrees C",
        "System Temp      | 0Bh | ok  |  7.1 | 30 degrees C",
        "12V              | 30h | ok  |  7.17 | 12.19 Volts",
        "FAN1             | 41h | ok  | 29.1 | 5600 RPM",
        "FAN2             | 42h | ok  | 29.2 | 5740 RPM",
        "FAN3             | 43h | ns  | 29.3 | No Reading",
        "PS1 Status       | C8h | ok  | 10.1 | Presence detected",
        "PS1 Fan          | C6h | ok  | 10.1 | 8000 RPM",
        "PS2 Status       | C9h | ok  | 10.2 | Presence detected",
        "PS Redundancy    | 77h | ok  |  7.1 | Fully Redundant",
        "Fan Redundancy   | 75h | ok  |  7.1 | Fully Redundant",
        "Chassis Intru    | AAh | ok  | 23.1 | ",
        "Memory ECC       | EEh | ns  |  8.1 | Event-Only",
    ]
    new = {line.partition("|")[0].strip(): line for line in changed}
    kept = [
        new.pop(line.partition("|")[0].strip(), line)
        for line in lines
        if line.partition("|")[0].strip() not in without
    ]
    return ToolResult(0, "\n".join([*kept, *new.values()]) + "\n")


def events(*lines: str) -> ToolResult:
    """The answer of ``ipmitool sel elist``: an old fault, a restart, then these."""
    return ToolResult(
        0,
        "\n".join(
            [
                (
                    "   1 |  Pre-Init  |0000000018| Power Supply PS1 Status | Failure detected | "
                    "Asserted"
                ),
                "   2 | 01/02/2024 | 10:11:12 | Fan FAN1 | Lower Critical going low  | Asserted",
                "   3 | 11/23/2025 | 12:30:00 | OS Boot | C: boot completed | Asserted",
                *lines,
            ]
        )
        + "\n",
    )


def lldp(interface: str = "ens1f0np0") -> ToolResult:
    """The answer of ``lldpcli -f json0 show neighbors``."""
    neighbour = {
        "name": interface,
        "via": "LLDP",
        "chassis": [
            {"id": [{"type": "mac", "value": "0c:42:a1:00:00:01"}], "name": [{"value": "leaf1"}]}
        ],
        "port": [{"id": [{"type": "ifname", "value": "swp12"}], "descr": [{"value": "to node01"}]}],
    }
    return ToolResult(0, json.dumps({"lldp": [{"interface": [neighbour]}]}))


_FILES: dict[str, object] = {
    **system(),
    **cpus(2, 32),
    **memory(503.7),
    **nvme("nvme0n1", 3.84, "S64HNE0R501234", "0000:06:00.0"),
    **sata("sda", 12, "ZJV0A1B2"),
    **bay("sda", "Slot 05"),
    # The bays of NVMe disks are hot-plug slots.
    "sys/bus/pci/slots/Bay 3/address": "0000:06:00",
    **bridge(),
    **loopback(),
    **ethernet("ens1f0np0"),
    **side(0),
    **side(1),
    **edac(),
    **power_management(),
    **module("580.65.06"),
    "proc/stat": f"cpu  1 2 3\nbtime {BOOT_S}\nprocesses 100",
    "dev/ipmi0": "",
}
_TOOLS: dict[str, ToolResult] = {
    "chronyc": chrony(),
    **kernel_log(),
    **fabric_manager("inactive"),
    "dmidecode -t 16,17": dimms(),
    "dmidecode -t 9": slots(),
    "smartctl -j -a /dev/nvme0n1": smart_nvme(),
    "smartctl -j -a /dev/sda": smart_ata(),
    "ipmitool sdr elist": sensors(),
    "ipmitool sel elist last 200": events(),
    "ipmitool sel time get": ToolResult(0, time.strftime("%m/%d/%Y %H:%M:%S\n", time.gmtime())),
    "lldpcli": lldp(),
}
SERVER = Machine(_FILES, _TOOLS)


def server(files: dict[str, object] | None = None, **tools: ToolResult) -> Machine:
    """The server with other files, and other answers by the tools' short names."""
    names = {
        "dimms": "dmidecode -t 16,17",
        "slots": "dmidecode -t 9",
        "nvme": "smartctl -j -a /dev/nvme0n1",
        "sda": "smartctl -j -a /dev/sda",
        "sensors": "ipmitool sdr elist",
        "events": "ipmitool sel elist last 200",
        "chronyc": "chronyc",
        "lldp": "lldpcli",
    }
    return Machine(
        {**_FILES, **(files or {})},
        {**_TOOLS, **{names[name]: answer for name, answer in tools.items()}},
    )


def without(*prefixes: str) -> dict[str, object]:
    """The server's files without those below these paths."""
    return {path: file for path, file in _FILES.items() if not path.startswith(prefixes)}


_ADAPTER = f"sys/devices/pci0000:80/0000:80:01.0/0000:81:00.0/0000:82:01.0/{ADAPTERS[1]}"
_PORT = f"{_ADAPTER}/infiniband/mlx5_1/ports/1"
_STATISTICS = "sys/devices/pci0000:00/0000:00:02.0/0000:05:00.0/net/ens1f0np0"

HOST_MACHINES = {
    "server": SERVER,
    "ib-down": server({f"{_PORT}/state": "1: DOWN", f"{_PORT}/phys_state": "3: Disabled"}),
    "ib-slow": server({f"{_PORT}/rate": "100 Gb/sec (4X EDR)"}),
    "nic-1g": server(ethernet("ens1f0np0", speed=1000)),
    "bad-cable": server(
        {f"{_STATISTICS}/statistics/rx_crc_errors": 812, f"{_STATISTICS}/carrier_down_count": 40}
    ),
    "missing-dimm": server(dimms=dimms(missing=["P2-DIMMF1"])),
    "slow-dimm": server(dimms=dimms(slow=["P1-DIMMC1"])),
    "corrected-errors": server(edac(ce=3)),
    "uncorrected-errors": server(edac(ue=1)),
    "dying-nvme": server(
        nvme=smart_nvme(
            rc=8, critical_warning=0x05, available_spare=4, media_errors=117, percentage_used=101
        )
    ),
    "stopped-clock": server(chronyc=chrony(age=40 * 3600, dispersion=1.44)),
    "failed-fan": server(sensors=sensors("FAN2 | 42h | lcr | 29.2 | 0 RPM")),
    "lost-psu": server(
        sensors=sensors(
            "PS2 Status | C9h | ok | 10.2 | Presence detected, Power Supply AC lost",
            "PS Redundancy | 77h | ok | 7.1 | Redundancy Lost",
        ),
        events=events(
            "   4 | 11/23/25 | 14:02:11 UTC | Power Supply PS2 Status | Power Supply AC lost | "
            "Asserted"
        ),
    ),
    "acs-on": server({**side(0, acs_control=0x1D)}),
    # Each in the form of an older tool or kernel, and all is well.
    "old-forms": Machine(
        {
            **without("sys/devices/system/edac", f"{_STATISTICS}/carrier_down_count"),
            **edac_rows(),
        },
        {
            **_TOOLS,
            "dmidecode -t 16,17": dimms(version="3.0"),
            "smartctl -j -a /dev/nvme0n1": smart_nvme(version=(7, 0)),
            "smartctl -j -a /dev/sda": smart_scsi(version=(7, 0)),
        },
    ),
    # ipmitool 1.8.19 writes years with two digits, and the zone.
    "new-ipmitool": Machine(
        _FILES,
        {
            **_TOOLS,
            "ipmitool sel time get": ToolResult(
                0, time.strftime("%m/%d/%y %H:%M:%S UTC\n", time.gmtime())
            ),
        },
    ),
    "new-forms": server(sda=smart_scsi(version=(7, 4))),
    # No tool is installed, no driver loaded, and nobody is root.
    "bare-server": Machine(
        {
            path: file
            for path, file in without("sys/devices/system/edac", "dev/ipmi0").items()
            if not path.endswith("/config") and "cpufreq" not in path
        },
        {"chronyc": chrony()},
    ),
}
