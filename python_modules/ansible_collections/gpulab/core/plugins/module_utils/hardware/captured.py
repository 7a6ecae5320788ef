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
        only_if: Run it only where this path exists (nvidia-smi would load the driver).
        each: Run it once for each file that matches one of these patterns; its absolute path
            becomes the last word.
    """

    argv: tuple[str, ...]
    only_if: str = ""
    each: tuple[str, ...] = ()


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
        tools: Tools to run.
    """

    name: str
    files: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    lines: tuple[tuple[str, str], ...] = ()
    tools: tuple[Tool, ...] = ()


def _below(folder: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{folder}/{name}" for name in names)


# Where kernels keep NVIDIA's module: updates/dkms, extra, kernel/drivers/video, kernel/nvidia-580.
_NVIDIA_MODULES = tuple(f"lib/modules/{'*/' * depth}nvidia*.ko*" for depth in (2, 3, 4, 5))

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
    Group("memory", files=("proc/meminfo",)),
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
        paths=("sys/block/*/device/nvme*",),
    ),
    Group(
        "nics",
        files=_below(
            "sys/class/net/*",
            *("address", "bonding_slave/perm_hwaddr", "carrier", "device/numa_node", "flags"),
            *("mtu", "speed", "type"),
        ),
        paths=_below("sys/class/net/*", "bonding", "device/driver", "device/physfn"),
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
    ),
    Group(
        "nvidia",
        files=("proc/driver/nvidia/version", "sys/module/nvidia/version"),
        paths=_below(
            "usr",
            *(
                f"{folder}/libnvidia-ml.so.*"
                for folder in (
                    *("lib", "lib64", "lib/aarch64-linux-gnu", "lib/x86_64-linux-gnu"),
                    "lib/x86_64-linux-gnu/nvidia/current",
                )
            ),
        ),
        tools=(Tool(("nvidia-smi", "-q", "-x"), only_if="proc/driver/nvidia/version"),),
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
