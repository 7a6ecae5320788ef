"""Nodes as file trees and tool answers, in the forms that the kernel and the tools have.

A tree is a flat mapping: path below the root -> content. A `Link` is a symbolic link by its target
from the root, as sysfs is made of them; `FIFO` is a file whose reader never gets an answer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gpu_boards import H100, V100, Board, smi_tools, smi_xml

from ansible_collections.gpulab.core.plugins.module_utils.hardware.tools import (
    NOT_FOUND,
    ToolResult,
)

FactsOf = Callable[[str], dict[str, Any]]

FIFO = object()


@dataclass(frozen=True)
class Link:
    """A symbolic link to a path below the root."""

    target: str


@dataclass(frozen=True)
class Machine:
    """Files, what the tools answer, the kernel's name of the architecture, and NVML's binding."""

    files: Mapping[str, object]
    tools: Mapping[str, ToolResult] = field(default_factory=dict)
    machine: str = "x86_64"
    binding: object | None = None
    # What a proof with containers finds: what holds, and what is wrong.
    containers: tuple[list[str], list[str]] | None = None

    @property
    def deadline_s(self) -> float:
        """Seconds for each probe: few where one hangs, elsewhere more than a loaded host needs."""
        return 5.0 if FIFO in self.files.values() else 60.0

    def lay(self, root: Path) -> Path:
        """Write the tree under a root and return the root."""
        for path, content in self.files.items():
            where = root / path
            where.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Link):
                target = root / content.target
                target.mkdir(parents=True, exist_ok=True)
                where.symlink_to(os.path.relpath(target, where.parent))
            elif content is FIFO:
                os.mkfifo(where)
            elif isinstance(content, bytes):
                where.write_bytes(content)
            else:
                where.write_text(f"{content}\n", encoding="utf-8")
        return root

    def run(self, argv: Sequence[str]) -> ToolResult:
        """Answer for a tool by its whole line, else by its name; others are not installed."""
        missing = ToolResult(NOT_FOUND, "", f"No such file or directory: '{argv[0]}'")
        return self.tools.get(" ".join(argv), self.tools.get(argv[0], missing))


def cpus(sockets: int, cores: int, threads: int = 2, model: str = "AMD EPYC 7742") -> dict:
    """A processor tree: `cores` per socket; thread numbers as on x86, siblings half way apart."""
    total = sockets * cores
    files: dict[str, object] = {"sys/devices/system/cpu/online": f"0-{total * threads - 1}"}
    for cpu in range(total * threads):
        core = cpu % total
        siblings = ",".join(str(core + total * number) for number in range(threads))
        topology = f"sys/devices/system/cpu/cpu{cpu}/topology"
        files[f"{topology}/thread_siblings_list"] = siblings
        files[f"{topology}/physical_package_id"] = core // cores
    files["sys/devices/system/node/online"] = f"0-{sockets - 1}" if sockets > 1 else "0"
    files["proc/cpuinfo"] = (
        f"processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: {model}\nflags\t\t: fpu sse2"
    )
    return files


def memory(gib: float) -> dict:
    return {"proc/meminfo": f"MemTotal:       {int(gib * 1024 * 1024)} kB\nSwapTotal:      0 kB"}


def system(product: str = "AS -4124GS-TNR", serial: str = "A123456") -> dict:
    dmi = "sys/class/dmi/id"
    return {
        f"{dmi}/sys_vendor": "Supermicro",
        f"{dmi}/product_name": product,
        f"{dmi}/product_serial": serial,
        f"{dmi}/board_serial": "Default string",
        "etc/os-release": 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nPRETTY_NAME="Ubuntu"',
        "proc/sys/kernel/osrelease": "6.8.0-45-generic",
        "proc/sys/kernel/version": "#45-Ubuntu SMP",
    }


def nvme(name: str, tb: float, serial: str, bdf: str = "0000:81:00.0") -> dict:
    real = f"sys/devices/pci0000:80/{bdf}/nvme/{name[:5]}/{name}"
    return {
        f"sys/block/{name}": Link(real),
        f"{real}/size": int(tb * 10**12 / 512),
        f"{real}/queue/rotational": 0,
        f"{real}/wwid": f"eui.{serial}",
        f"{real}/removable": 0,
        f"{real}/device/serial": f"{serial}      ",
        f"{real}/device/model": "SAMSUNG MZQL23T8HCLS-00A07  ",
    }


def sata(name: str, tb: float, serial: str, *, rotational: int = 1, dev: str = "8:0") -> dict:
    real = f"sys/devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/{name}"
    page = b"\x00\x80" + len(serial).to_bytes(2, "big") + serial.encode()
    return {
        f"sys/block/{name}": Link(real),
        f"{real}/size": int(tb * 10**12 / 512),
        f"{real}/dev": dev,
        f"{real}/queue/rotational": rotational,
        f"{real}/removable": 0,
        f"{real}/device/vendor": "ATA     ",
        f"{real}/device/model": "ST12000NM0127-2L",
        f"{real}/device/vpd_pg80": page,
        f"{real}/device/wwid": f"naa.{serial}",
        f"run/udev/data/b{dev}": f"E:ID_MODEL=ST12000NM0127-2L8101\nE:ID_SERIAL_SHORT={serial}",
    }


def nic(
    name: str, speed: object, *, carrier: object = 1, mac: str, bdf: str = "0000:41:00.0"
) -> dict:
    device = f"sys/devices/pci0000:40/{bdf}"
    real = f"{device}/net/{name}"
    return {
        f"sys/class/net/{name}": Link(real),
        f"{real}/device": Link(device),
        f"{device}/driver": Link("sys/bus/pci/drivers/mlx5_core"),
        f"{device}/numa_node": 0,
        f"{real}/flags": "0x1003",
        f"{real}/type": 1,
        f"{real}/carrier": carrier,
        f"{real}/speed": speed,
        f"{real}/mtu": 9000,
        f"{real}/address": mac,
        "sys/bus/pci/slots/5/address": bdf.rpartition(".")[0],
    }


def loopback() -> dict:
    real = "sys/devices/virtual/net/lo"
    return {"sys/class/net/lo": Link(real), f"{real}/flags": "0x9", f"{real}/type": 772}


def gpu(bdf: str, device_id: str, driver: str | None = "nvidia", vendor: str = "0x10de") -> dict:
    real = f"sys/devices/pci0000:00/{bdf}"
    files: dict[str, object] = {
        f"sys/bus/pci/devices/{bdf}": Link(real),
        f"{real}/class": "0x030200",
        f"{real}/vendor": vendor,
        f"{real}/device": device_id,
        f"{real}/numa_node": 0,
        f"{real}/current_link_width": 16,
        f"{real}/max_link_width": 16,
        f"{real}/current_link_speed": "2.5 GT/s PCIe",
        f"{real}/max_link_speed": "16.0 GT/s PCIe",
    }
    if driver:
        files[f"{real}/driver"] = Link(f"sys/bus/pci/drivers/{driver}")
    return files


def bridge(bdf: str = "0000:00:00.0") -> dict:
    real = f"sys/devices/pci0000:00/{bdf}"
    return {f"sys/bus/pci/devices/{bdf}": Link(real), f"{real}/class": "0x060000"}


def module(version: str, *, opened: bool = True, library: str = "") -> dict:
    flavour = "UNIX Open Kernel Module for x86_64" if opened else "UNIX x86_64 Kernel Module"
    return {
        "proc/driver/nvidia/version": (
            f"NVRM version: NVIDIA {flavour}  {version}  Release Build  (builder)\n"
            "GCC version:  gcc version 13.2.0"
        ),
        f"usr/lib/x86_64-linux-gnu/libnvidia-ml.so.{library or version}": "",
        "lib/modules/6.8.0-45-generic/modules.dep": "updates/dkms/nvidia.ko.zst:",
    }


def software(version: str, license_name: str = "Dual MIT/GPL", dpkg: str = "") -> dict:
    """The tools' answers about an installed driver."""
    return {
        "modinfo": ToolResult(0, f"version:        {version}\nlicense:        {license_name}\n"),
        "dpkg-query": ToolResult(
            0, f"nvidia-open\t{version}-1\thold ok installed\n{dpkg}bash\t5\tinstall ok installed\n"
        ),
    }


def smi(bdfs: Sequence[str], product: str, mib: int, *, driver: str = "580.65.06") -> ToolResult:
    """The answer of ``nvidia-smi -q -x`` for boards that differ in address and number only."""
    return smi_xml(
        [Board(name=product, bdf=bdf, number=n, memory_mib=mib) for n, bdf in enumerate(bdfs)],
        driver,
    )


def boards(bdfs: Sequence[str], board: Board) -> list[Board]:
    """A node's GPUs of one model."""
    return [replace(board, bdf=bdf, number=number) for number, bdf in enumerate(bdfs)]


def nvswitch(bdf: str) -> dict:
    real = f"sys/devices/pci0000:00/{bdf}"
    return {
        f"sys/bus/pci/devices/{bdf}": Link(real),
        f"{real}/class": "0x068000",
        f"{real}/vendor": "0x10de",
    }


def kernel_log(*lines: str, beginning: bool = True) -> dict[str, ToolResult]:
    """The answer of journalctl; `beginning` is the kernel's first line."""
    first = ["Linux version 6.8.0-45-generic (buildd@lcy02) #45-Ubuntu SMP"] if beginning else []
    text = "\n".join([*first, "NVRM: loading NVIDIA UNIX Open Kernel Module", *lines])
    return {"journalctl": ToolResult(0, f"{text}\n")}


def fabric_manager(state: str) -> dict[str, ToolResult]:
    """The answer of ``systemctl is-active``."""
    return {"systemctl": ToolResult(0 if state == "active" else 3, f"{state}\n")}


def chrony(
    offset: float = 0.000012, leap: str = "Normal", age: float = 17.0, dispersion: float = 0.000101
) -> ToolResult:
    return ToolResult(
        0,
        f"C0000201,192.0.2.1,3,{time.time() - age:.9f},{offset:.9f},0.000001,0.000002,-5.123,0.001,"
        f"0.012,0.000312,{dispersion:.9f},64.4,{leap}\n",
    )


_DISKS = {
    **nvme("nvme0n1", 3.84, "S64HNE0R501234"),
    **sata("sda", 12, "ZJV0A1B2"),
}
_BUS = {**bridge(), **gpu("0000:c4:00.0", "0x2000", "ast", "0x1a03")}
_TWO = ("0000:01:00.0", "0000:41:00.0")
_SWITCHES = tuple(f"0000:{bus}:00.0" for bus in ("05", "06", "07", "08"))
_EIGHT = tuple(f"0000:{bus}:00.0" for bus in ("1b", "43", "52", "61", "9d", "c3", "d1", "df"))
_SERVER: dict[str, object] = {
    **system(),
    **cpus(2, 32),
    **memory(503.7),
    **_DISKS,
    **_BUS,
    **loopback(),
    **nic("ens1f0np0", 25000, mac="b8:ce:f6:00:00:01"),
}

TWO_A100 = Machine(
    {
        **_SERVER,
        **gpu(_TWO[0], "0x20b2"),
        **gpu(_TWO[1], "0x20b2"),
        **module("580.65.06"),
    },
    {
        **smi_tools(boards(_TWO, Board())),
        "chronyc": chrony(),
        **software("580.65.06"),
        **kernel_log(),
        **fabric_manager("inactive"),
    },
)
EIGHT_H100 = Machine(
    {
        **_SERVER,
        **{path: file for bdf in _EIGHT for path, file in gpu(bdf, "0x2330").items()},
        **{path: file for bdf in _SWITCHES for path, file in nvswitch(bdf).items()},
        **module("570.86.15"),
    },
    {
        **smi_tools(boards(_EIGHT, H100), "570.86.15"),
        "chronyc": chrony(),
        **software(
            "570.86.15",
            dpkg="nvidia-fabricmanager-570\t570.86.15-1\tinstall ok installed\n",
        ),
        **kernel_log(),
        **fabric_manager("active"),
    },
)
TWO_V100 = Machine(
    {
        **_SERVER,
        **gpu(_TWO[0], "0x1db1"),
        **gpu(_TWO[1], "0x1db1"),
        **module("470.256.02", opened=False),
    },
    {
        **smi_tools(boards(_TWO, V100), "470.256.02"),
        "chronyc": chrony(),
        **software("470.256.02", "NVIDIA"),
        **kernel_log(),
        **fabric_manager("inactive"),
    },
)
FALLEN_GPU = Machine(
    TWO_A100.files,
    {**TWO_A100.tools, **smi_tools(boards(_TWO[:1], Board()))},
)
LOST_GPU = Machine(
    TWO_A100.files,
    {
        **TWO_A100.tools,
        "nvidia-smi": ToolResult(
            15, "Unable to determine the device handle for GPU0000:41:00.0: Unknown Error\n"
        ),
    },
)
NOUVEAU = Machine(
    {**_SERVER, **gpu(_TWO[0], "0x20b2", "nouveau"), **gpu(_TWO[1], "0x20b2", "nouveau")},
    {"chronyc": chrony()},
)
NO_DRIVER = Machine(
    {**_SERVER, **gpu(_TWO[0], "0x20b2", None), **gpu(_TWO[1], "0x20b2", None)},
    {"chronyc": chrony()},
)
MISMATCH = Machine(
    {**TWO_A100.files, **module("580.65.06", library="580.95.05")}
    | {"usr/lib/x86_64-linux-gnu/libnvidia-ml.so.580.65.06": None},
    {
        **TWO_A100.tools,
        "nvidia-smi": ToolResult(
            18,
            "Failed to initialize NVML: Driver/library version mismatch\n"
            "NVML library version: 580.95\n",
        ),
    },
)
MISMATCH = Machine(
    {path: file for path, file in MISMATCH.files.items() if file is not None}, MISMATCH.tools
)
SLOW_NIC = Machine(
    {
        **TWO_A100.files,
        **nic("ens1f0np0", 1000, mac="b8:ce:f6:00:00:01"),
    },
    TWO_A100.tools,
)
HUNG_DISK = Machine(
    {**TWO_A100.files, "sys/devices/pci0000:80/0000:81:00.0/nvme/nvme0/nvme0n1/size": FIFO},
    TWO_A100.tools,
)
GARBAGE = Machine(
    {
        "sys/devices/system/cpu/online": "\x00\x7f all of them",
        "proc/meminfo": "MemTotal: plenty",
        "sys/block/sda/size": "large",
        "sys/block/sda/queue/rotational": "?",
        **nic("eth0", "fast", carrier="yes", mac="?"),
        "sys/devices/pci0000:40/0000:41:00.0/net/eth0/flags": "up!",
        "sys/bus/pci/devices/0000:01:00.0/class": "GPU",
        "proc/driver/nvidia/version": "\ufffd",
        "etc/os-release": "<html>'",
        "proc/sys/kernel/osrelease": "",
    },
    {"nvidia-smi": ToolResult(0, "<nvidia_smi_log><gpu>"), "chronyc": ToolResult(0, "a,b,c")},
)
EMPTY = Machine({})
RASPBERRY_PI = Machine(
    {
        "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
        "proc/device-tree/serial-number": "10000000abcdef01\0",
        "etc/os-release": 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12"',
        "proc/sys/kernel/osrelease": "6.6.51+rpt-rpi-v8",
        **cpus(1, 4, 1),
        "proc/cpuinfo": "processor\t: 0\nBogoMIPS\t: 108.00\nCPU implementer\t: 0x41",
        **memory(7.6),
        "sys/block/mmcblk0": Link("sys/devices/platform/emmc2bus/mmc_host/mmc0/block/mmcblk0"),
        "sys/devices/platform/emmc2bus/mmc_host/mmc0/block/mmcblk0/size": 62333952,
        "sys/devices/platform/emmc2bus/mmc_host/mmc0/block/mmcblk0/queue/rotational": 0,
        "sys/devices/platform/emmc2bus/mmc_host/mmc0/block/mmcblk0/device/name": "SD32G",
        "sys/devices/platform/emmc2bus/mmc_host/mmc0/block/mmcblk0/device/serial": "0x1a2b3c4d",
        "sys/block/mmcblk0boot0": Link("sys/devices/platform/emmc2bus/mmc_host/boot0"),
        "sys/class/net/eth0": Link("sys/devices/platform/scb/fd580000.ethernet/net/eth0"),
        "sys/devices/platform/scb/fd580000.ethernet/net/eth0/device": Link(
            "sys/devices/platform/scb/fd580000.ethernet"
        ),
        "sys/devices/platform/scb/fd580000.ethernet/net/eth0/flags": "0x1003",
        "sys/devices/platform/scb/fd580000.ethernet/net/eth0/type": 1,
        "sys/devices/platform/scb/fd580000.ethernet/net/eth0/carrier": 1,
        "sys/devices/platform/scb/fd580000.ethernet/net/eth0/speed": 1000,
        "sys/devices/platform/scb/fd580000.ethernet/net/eth0/address": "dc:a6:32:00:00:01",
        **bridge(),
    },
    {"timedatectl": ToolResult(0, "yes\n")},
    "aarch64",
)
VIRTUAL = Machine(
    {
        **system("KVM", "Not Specified"),
        "sys/class/dmi/id/sys_vendor": "QEMU",
        **cpus(1, 2, 1, "Intel(R) Xeon(R) Processor"),
        "proc/cpuinfo": (
            "vendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Xeon(R) Processor\n"
            "flags\t\t: fpu hypervisor sse2"
        ),
        **memory(23.5),
        "sys/block/vda": Link("sys/devices/pci0000:00/0000:00:02.0/virtio1/block/vda"),
        "sys/devices/pci0000:00/0000:00:02.0/virtio1/block/vda/size": 536870912,
        "sys/devices/pci0000:00/0000:00:02.0/virtio1/block/vda/serial": "overlayblk",
        "sys/devices/pci0000:00/0000:00:02.0/virtio1/block/vda/queue/rotational": 1,
        "sys/block/loop0": Link("sys/devices/virtual/block/loop0"),
        "sys/devices/virtual/block/loop0/size": 2048,
        "sys/block/zram0": Link("sys/devices/virtual/block/zram0"),
        "sys/class/net/eth0": Link("sys/devices/pci0000:00/0000:00:03.0/virtio2/net/eth0"),
        "sys/devices/pci0000:00/0000:00:03.0/virtio2/net/eth0/device": Link(
            "sys/devices/pci0000:00/0000:00:03.0/virtio2"
        ),
        "sys/devices/pci0000:00/0000:00:03.0/virtio2/net/eth0/flags": "0x1003",
        "sys/devices/pci0000:00/0000:00:03.0/virtio2/net/eth0/carrier": 1,
        "sys/devices/pci0000:00/0000:00:03.0/virtio2/net/eth0/speed": -1,
        "sys/devices/pci0000:00/0000:00:03.0/virtio2/net/eth0/address": "02:fc:00:00:00:01",
        "sys/class/net/veth1": Link("sys/devices/virtual/net/veth1"),
        "sys/devices/virtual/net/veth1/flags": "0x1003",
        "sys/devices/virtual/net/veth1/carrier": 1,
        "sys/devices/virtual/net/veth1/speed": 10000,
        **bridge(),
    },
    {
        "chronyc": ToolResult(1, "", "506 Cannot talk to daemon"),
        "timedatectl": ToolResult(1, "", "Failed to connect to bus: Host is down"),
    },
)

MACHINES = {
    "two-a100": TWO_A100,
    "eight-h100": EIGHT_H100,
    "two-v100": TWO_V100,
    "fallen-gpu": FALLEN_GPU,
    "lost-gpu": LOST_GPU,
    "nouveau": NOUVEAU,
    "no-driver": NO_DRIVER,
    "mismatch": MISMATCH,
    "slow-nic": SLOW_NIC,
    "hung-disk": HUNG_DISK,
    "garbage": GARBAGE,
    "empty": EMPTY,
    "raspberry-pi": RASPBERRY_PI,
    "virtual": VIRTUAL,
}
