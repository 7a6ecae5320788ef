"""What a sweep reads on a node for the probes: paths, contents, and tools' answers.

The probes of `facts.gather` ask for single files as they go. A sweep asks a node once, so it must
know beforehand what they may ask for: this list. It is data only. A probe that asks for something
that is not listed is answered by an error and its section is unknown, never "absent"; and
tests/unit/sweep fails when a probe asks for what is not here. So: a new probe, a new line here.

Paths are shell patterns below ``/``, without a leading slash. A ``*`` does not match a leading dot.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tool:
    """A tool to run.

    Attributes:
        argv: Its words, as the probe runs it.
        only_if: Run it only where one of these paths exists (nvidia-smi would load the driver).
        only_with: ``(text, pattern)``: run it only where one of these files has the text.
        each: Run it once for each file that matches one of these patterns; its absolute path
            becomes the last word.
        below: With `each`: the last word is the file's name below this folder instead.
        keep: Of its output only the first line, which says that there is any, and the lines with
            one of these texts (of a kernel log of megabytes, a few lines matter).
    """

    argv: tuple[str, ...]
    only_if: tuple[str, ...] = ()
    only_with: tuple[str, str] | None = None
    each: tuple[str, ...] = ()
    below: str = ""
    keep: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """What is read together, under one time limit: if it hangs, only its readers are unknown.

    Attributes:
        name: What it is about.
        files: Patterns of files whose contents are read. What they are, where their links lead, and
            what lies in the folders above a ``*`` is known with them.
        paths: Patterns of which only that is read, and no content.
        lines: ``(text, pattern)``: of these files only the lines with the text (of a megabyte of
            module dependencies, one line matters).
        beside: ``(text, pattern, name)``: beside each of these files that has the text, the file of
            this name is read (registers of bridges; a device that fell off the bus may stall its
            reader).
        twice: As `files`, and read again `nic_counters.PAUSE_S` later.
        twice_if: Where nothing matches this pattern, nobody asks for the second reading.
        tools: Tools to run, side by side with those of all groups, each under a limit of its own.
    """

    name: str
    files: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    lines: tuple[tuple[str, str], ...] = ()
    beside: tuple[tuple[str, str, str], ...] = ()
    twice: tuple[str, ...] = ()
    twice_if: str = ""
    tools: tuple[Tool, ...] = ()


def _below(folder: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{folder}/{name}" for name in names)


# Where kernels keep NVIDIA's module: updates/dkms, extra, kernel/drivers/video, kernel/nvidia-580.
_NVIDIA_MODULES = tuple(f"lib/modules/{'*/' * depth}nvidia*.ko*" for depth in (2, 3, 4, 5))

# The driver is loaded: asking it changes nothing.
_NVIDIA_LOADED = ("proc/driver/nvidia/version", "sys/module/nvidia")
# A device of NVIDIA's is on the bus, with a driver or not.
_NVIDIA_DEVICE = ("^0x10de", "sys/bus/pci/devices/*/vendor")
_BMC = ("dev/ipmi0", "dev/ipmi/0", "dev/ipmidev/0")
# Of the kernel's log: its beginning, and what NVIDIA's driver reports (xid.py).
_LOG_LINES = ("Linux version ", "NVRM: Xid ", "SXid ")

GROUPS: tuple[Group, ...] = (
    Group(
        "system",
        files=(
            *_below(
                "sys/class/dmi/id",
                *("bios_version", "board_name", "board_serial"),
                *("product_name", "product_serial", "sys_vendor"),
            ),
            *_below("proc/device-tree", "model", "serial-number"),
        ),
    ),
    Group(
        "cpu",
        files=(
            "proc/cpuinfo",
            "sys/devices/system/cpu/online",
            *_below(
                "sys/devices/system/cpu/cpu[0-9]*/topology",
                *("physical_package_id", "thread_siblings_list"),
            ),
            "sys/devices/system/node/online",
        ),
    ),
    Group(
        "memory",
        files=("proc/meminfo",),
        tools=(Tool(("dmidecode", "-t", "16,17")),),
    ),
    Group(
        "edac",
        files=(
            *_below("sys/devices/system/edac/mc/mc*", "mc_name", "ue_count", "ce_count"),
            *(
                f"sys/devices/system/edac/mc/mc*/{module}*/dimm_{name}"
                for module in ("dimm", "rank")
                for name in ("label", "location", "ue_count", "ce_count")
            ),
            *_below(
                "sys/devices/system/edac/mc/mc*/csrow*",
                *("ue_count", "ch*_ce_count", "ch*_dimm_label"),
            ),
        ),
    ),
    Group(
        "power management",
        files=(
            *_below(
                "sys/devices/system/cpu/cpu[0-9]*/cpufreq", "scaling_driver", "scaling_governor"
            ),
            *_below(
                "sys/devices/system/clocksource/clocksource0",
                *("current_clocksource", "available_clocksource"),
            ),
        ),
    ),
    Group(
        "disks",
        files=(
            *_below(
                "sys/block/*",
                *("dev", "hidden", "queue/rotational", "removable", "serial", "size", "wwid"),
                *(f"device/{name}" for name in ("model", "name", "serial", "vendor", "vpd_pg80")),
                "device/wwid",
            ),
            "run/udev/data/b*",
        ),
        paths=_below("sys/block/*/device", "nvme*", "enclosure_device:*"),
        tools=(
            Tool(
                ("smartctl", "-j", "-a"),
                each=_below("sys/block", "sd*", "nvme*n*"),
                below="/dev",
            ),
        ),
    ),
    Group(
        "nics",
        files=_below(
            "sys/class/net/*",
            *("address", "bonding_slave/perm_hwaddr", "carrier", "device/numa_node", "flags"),
            *("mtu", "speed", "type"),
        ),
        paths=_below("sys/class/net/*", "bonding", "device/driver", "device/physfn"),
        tools=(Tool(("lldpcli", "-f", "json0", "show", "neighbors")),),
    ),
    Group(
        "nic counters",
        twice=(
            *_below("sys/class/net/*", "carrier_changes", "carrier_down_count"),
            *_below(
                "sys/class/net/*/statistics",
                *("rx_crc_errors", "rx_frame_errors", "tx_carrier_errors", "rx_errors"),
                *("tx_errors", "rx_dropped", "tx_dropped", "rx_missed_errors"),
            ),
        ),
        # Hardware; only its counters are asked for.
        twice_if="sys/class/net/*/device",
    ),
    Group(
        "infiniband",
        files=(
            *_below("sys/class/infiniband/*", "device/numa_node", "fw_ver", "node_guid"),
            *_below(
                "sys/class/infiniband/*/ports/*",
                *("hw_counters/*", "link_layer", "phys_state", "rate", "state"),
            ),
            *_below(
                "sys/class/infiniband/*/ports/*/counters",
                *("excessive_buffer_overrun_errors", "link_downed", "link_error_recovery"),
                *("local_link_integrity_errors", "port_rcv_errors"),
                *("port_rcv_remote_physical_errors", "symbol_error"),
            ),
        ),
    ),
    Group(
        "ipmi",
        paths=_BMC,
        lines=(("^btime ", "proc/stat"),),
        tools=(
            Tool(("ipmitool", "sdr", "elist"), only_if=_BMC),
            Tool(("ipmitool", "sel", "elist", "last", "200"), only_if=_BMC),
            Tool(("ipmitool", "sel", "time", "get"), only_if=_BMC),
        ),
    ),
    Group(
        "pci",
        files=(
            *_below(
                "sys/bus/pci/devices/*",
                *("class", "current_link_speed", "current_link_width", "device"),
                *("max_link_speed", "max_link_width", "numa_node", "vendor"),
            ),
            "sys/bus/pci/slots/*/address",
        ),
        paths=("sys/bus/pci/devices/*/driver",),
        tools=(Tool(("dmidecode", "-t", "9")),),
    ),
    Group(
        "topology",
        paths=("sys/kernel/iommu_groups/*",),
        # PCI Code and ID Assignment Specification: 0604h, PCI-to-PCI bridge.
        beside=(("^0x0604", "sys/bus/pci/devices/*/class", "config"),),
    ),
    Group(
        "nvidia",
        files=("proc/driver/nvidia/version", "sys/module/nvidia/version"),
        paths=(
            *_below("sys/module", "nv_peer_mem", "nvidia_peermem"),
            *_below(
                "usr",
                *(
                    f"{folder}/libnvidia-ml.so.*"
                    for folder in (
                        *("lib", "lib64", "lib/aarch64-linux-gnu", "lib/x86_64-linux-gnu"),
                        "lib/x86_64-linux-gnu/nvidia/current",
                    )
                ),
            ),
        ),
        tools=(
            Tool(("nvidia-smi", "-q", "-x"), only_if=_NVIDIA_LOADED),
            Tool(("nvidia-smi", "nvlink", "-s"), only_if=_NVIDIA_LOADED),
            Tool(("nvidia-smi", "nvlink", "-e"), only_if=_NVIDIA_LOADED),
            Tool(
                ("systemctl", "is-active", "nvidia-fabricmanager.service"),
                only_with=_NVIDIA_DEVICE,
            ),
            Tool(
                ("journalctl", "-k", "-b", "--no-pager", "-q", "-o", "cat"),
                only_with=_NVIDIA_DEVICE,
                keep=_LOG_LINES,
            ),
            Tool(("dmesg",), only_with=_NVIDIA_DEVICE, keep=_LOG_LINES),
        ),
    ),
    Group(
        "modules",
        files=tuple(
            f"{folder}/modprobe.d/*" for folder in ("etc", "run", "usr/local/lib", "usr/lib", "lib")
        ),
        paths=(*_below("lib/modules/*", "build", "vmlinuz"), "boot/vmlinuz-*"),
        lines=(("nvidia", "lib/modules/*/modules.dep"),),
        tools=(Tool(("modinfo",), each=_NVIDIA_MODULES), Tool(("dkms", "status"))),
    ),
    Group(
        "packages",
        files=(
            *("etc/dnf/plugins/versionlock.list", "etc/dnf/versionlock.toml"),
            *("run/reboot-required", "run/reboot-required.pkgs"),
        ),
        tools=(
            Tool(("dpkg-query", "-W", "-f=${Package}\t${Version}\t${Status}\n")),
            Tool(("rpm", "-qa", "--qf", "%{NAME}\t%{EPOCHNUM}\t%{VERSION}\t%{RELEASE}\t%{ARCH}\n")),
        ),
    ),
    Group(
        "os",
        files=(
            *("etc/os-release", "usr/lib/os-release", "proc/1/environ", "run/systemd/container"),
            *("proc/sys/kernel/osrelease", "proc/sys/kernel/version"),
        ),
        paths=("run/.containerenv", ".dockerenv"),
    ),
    Group(
        "clock",
        tools=(
            Tool(("chronyc", "-n", "-c", "tracking")),
            Tool(("timedatectl", "show", "--property=NTPSynchronized", "--value")),
        ),
    ),
)
