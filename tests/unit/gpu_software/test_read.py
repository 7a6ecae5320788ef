"""Whole nodes, made of files and of what tools say."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hardware_machines import FIFO, Link, Machine, bridge, gpu, module

from ansible_collections.gpulab.core.plugins.module_utils.gpu_software.read import gather
from ansible_collections.gpulab.core.plugins.module_utils.hardware.sysfs import Tree
from ansible_collections.gpulab.core.plugins.module_utils.hardware.tools import ToolResult
from ansible_collections.gpulab.core.plugins.plugin_utils.gpu_software.driver_node import (
    bootable_kernels,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.gpu_software.resolve import make_plan

RUNNING, NEWER = "6.8.0-45-generic", "6.8.0-100-generic"
UBUNTU = {"distribution": "Ubuntu", "distribution_major_version": "24"}
LATER = time.time() + 3600
_EFIVAR = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"


def machine(
    files: dict[str, object] | None = None,
    *,
    os_id: str = "ubuntu",
    version: str = "580.95.05",
    license_name: str = "Dual MIT/GPL",
    dpkg: str = "",
    tools: dict[str, ToolResult] | None = None,
) -> Machine:
    base: dict[str, object] = {
        **bridge(),
        "etc/os-release": f'ID={os_id}\nVERSION_ID="24.04"',
        "proc/sys/kernel/osrelease": RUNNING,
        "proc/cpuinfo": "flags\t\t: fpu",
        f"lib/modules/{RUNNING}/modules.dep": "updates/dkms/nvidia.ko.zst:",
        f"lib/modules/{RUNNING}/build/Makefile": "",
        "boot/initrd.img-" + RUNNING: "",
        "etc/modprobe.d/blacklist-nouveau.conf": "blacklist nouveau\nblacklist nova_core",
        "sys/firmware/acpi/tables": "",
    }
    answers = {
        "modinfo": ToolResult(0, f"version:  {version}\nlicense:  {license_name}\n"),
        "dkms": ToolResult(0, f"nvidia/{version}, {RUNNING}, x86_64: installed\n"),
        "dpkg-query": ToolResult(0, dpkg),
    }
    return Machine(base | (files or {}), answers | (tools or {}))


def read(tmp_path: Path, node: Machine) -> dict[str, Any]:
    root = node.lay(tmp_path)
    state = gather(Tree(str(root)), node.run, 2.0)
    json.dumps(state)
    return state


def test_a_healthy_node(tmp_path: Path) -> None:
    files = {
        **gpu("0000:01:00.0", "0x20b5"),
        **module("580.95.05"),
        "usr/local/cuda-12.9/bin/nvcc": "",
        "usr/local/cuda-13.0/bin/nvcc": "",
        "usr/local/cuda-13.1/version.json": "",
        "usr/local/cuda": Link("usr/local/cuda-13.0"),
    }
    dpkg = (
        "nvidia-open\t580.95.05-1\thold ok installed\n"
        "nvidia-fabricmanager\t580.95.05-1\thold ok installed\n"
        "datacenter-gpu-manager-4-core\t1:4.4.1-1\tinstall ok installed\n"
        "nvidia-container-toolkit\t1.18.0-1\tinstall ok installed\n"
        "nvidia-compute-utils-580\t580.95.05-0ubuntu1\tinstall ok installed\n"
    )

    state = read(tmp_path, machine(files, dpkg=dpkg))

    assert state["unread"] == {}
    assert state["gpus"] == [
        {
            "bdf": "0000:01:00.0",
            "device_id": "0x20b5",
            "name": "GA100 [A100 PCIe 80GB]",
            "architecture": "ampere",
            "driver": "nvidia",
        }
    ]
    assert state["kernel"] == {
        "running": RUNNING,
        "headers": True,
        "installed": [RUNNING],
        "in_container": False,
    }
    assert state["module"] == {
        "on_disk": "580.95.05",
        "license": "Dual MIT/GPL",
        "flavour": "open",
        "loaded": "580.95.05",
        "per_kernel": {RUNNING: "580.95.05"},
        "dkms": [
            {
                "module": "nvidia",
                "version": "580.95.05",
                "kernel": RUNNING,
                "state": "installed",
            }
        ],
    }
    assert state["userspace"] == state["fabricmanager"] == state["persistenced"] == "580.95.05"
    assert (state["dcgm"], state["container_toolkit"]) == ("4.4.1", "1.18.0")
    assert state["cuda"] == {"versions": ["12.9", "13.0"], "default": "13.0"}
    assert state["packages"]["nvidia-open"] == {"version": "580.95.05-1", "held": True}
    assert state["dpkg_broken"] == []
    assert state["reboot"] == {"required": False, "reasons": []}
    assert state["blacklisted"] == ["nouveau", "nova_core"]
    assert (state["secure_boot"], state["nvswitches"]) == ("off", 0)


def nvswitch(bdf: str) -> dict[str, object]:
    real = f"sys/devices/pci0000:00/{bdf}"
    return {
        f"sys/bus/pci/devices/{bdf}": Link(real),
        f"{real}/class": "0x068000",
        f"{real}/vendor": "0x10de",
        f"{real}/device": "0x22a3",
    }


@pytest.mark.parametrize(
    ("devices", "architectures", "flavour"),
    [
        ([], [], "open"),
        (["0x1db4"], ["volta"], "proprietary"),
        (["0x20b2"] * 2, ["ampere"], "open"),
        (["0x2330"] * 2, ["hopper"], "open"),
        (["0x2901"], ["blackwell"], "open"),
        (["0x26b9"], ["ada"], "open"),
        (["0x2b85"], ["blackwell"], "open"),
        (["0x1db4", "0x20b2"], ["ampere", "volta"], "proprietary"),
        (["0x1db4", "0x2901"], ["blackwell", "volta"], ""),
        (["0x4a01"], [], "open"),
    ],
)
def test_the_bus_decides(
    tmp_path: Path, devices: list[str], architectures: list[str], flavour: str
) -> None:
    files: dict[str, object] = {}
    for number, device in enumerate(devices, 1):
        files |= gpu(f"0000:{number:02x}:00.0", device, None)
    files |= gpu("0000:c4:00.0", "0x2000", "ast", "0x1a03")

    state = read(tmp_path, machine(files))

    assert [one["device_id"] for one in state["gpus"]] == devices
    plan = make_plan(state, {}, UBUNTU)
    assert (plan["architectures"], plan["flavour"]) == (architectures, flavour)
    assert bool(plan["problems"]) is (flavour == "")


def test_nvswitches_are_counted_and_are_no_gpus(tmp_path: Path) -> None:
    files = {
        **gpu("0000:1b:00.0", "0x2330"),
        **nvswitch("0000:05:00.0"),
        **nvswitch("0000:06:00.0"),
    }

    state = read(tmp_path, machine(files))

    assert (len(state["gpus"]), state["nvswitches"]) == (1, 2)
    assert make_plan(state, {}, UBUNTU)["fabricmanager"]


@pytest.mark.parametrize(
    ("driver", "modules", "reason"),
    [
        ("nouveau", "nouveau", "is bound to nouveau, which is blacklisted by now"),
        # The kernel's own name of the driver; modprobe.d has the module's.
        ("NovaCore", "nova_core", "is bound to NovaCore, which is blacklisted by now"),
        ("nova_core", "nova-core", "is bound to nova_core, which is blacklisted by now"),
        # At the next boot it would bind again.
        ("NovaCore", "nouveau", ""),
        ("pci-stub", "", "is bound to pci-stub, which is not NVIDIA's driver"),
        ("xen-pciback", "", "is bound to xen-pciback, which is not NVIDIA's driver"),
        ("nvidia", "", ""),
        ("vfio-pci", "", ""),
        (None, "", ""),
    ],
)
def test_a_gpu_that_another_driver_has_needs_a_reboot(
    tmp_path: Path, driver: str | None, modules: str, reason: str
) -> None:
    files = {
        **gpu("0000:01:00.0", "0x20b2", driver),
        "etc/modprobe.d/blacklist-nouveau.conf": f"blacklist {modules}",
    }

    state = read(tmp_path, machine(files))

    assert state["reboot"]["required"] is bool(reason)
    assert [one.startswith(f"GPU 0000:01:00.0 {reason}") for one in state["reboot"]["reasons"]] == (
        [True] if reason else []
    )


def test_nouveau_on_a_gpu_needs_a_reboot_once_blacklisted(tmp_path: Path) -> None:
    state = read(tmp_path, machine(gpu("0000:01:00.0", "0x20b2", "nouveau")))

    assert state["gpus"][0]["driver"] == "nouveau"
    assert state["reboot"] == {
        "required": True,
        "reasons": ["GPU 0000:01:00.0 is bound to nouveau, which is blacklisted by now"],
    }


def test_a_skew_of_the_loaded_module_needs_a_reboot(tmp_path: Path) -> None:
    files = {**gpu("0000:01:00.0", "0x20b2"), **module("580.65.06", library="580.95.05")}

    state = read(tmp_path, machine(files))

    assert (state["module"]["loaded"], state["module"]["on_disk"]) == ("580.65.06", "580.95.05")
    assert state["userspace"] == "580.95.05"
    (reason,) = state["reboot"]["reasons"]
    assert "580.65.06" in reason
    assert "580.95.05" in reason


def test_a_kernel_that_came_behind_our_back_is_seen(tmp_path: Path) -> None:
    files: dict[str, object] = {
        f"lib/modules/{NEWER}/modules.dep": "",
        f"boot/vmlinuz-{NEWER}": "",
        "lib/modules/6.8.0-999-lowlatency/modules.dep": "",
        "boot/vmlinuz-6.8.0-999-lowlatency": "",
        "run/reboot-required": "*** System restart required ***",
        "run/reboot-required.pkgs": f"linux-image-{NEWER}\nlinux-base\nlinux-base",
    }

    state = read(tmp_path, machine(files))

    assert state["module"]["per_kernel"][NEWER] is None
    assert state["reboot"]["reasons"] == [
        f"/run/reboot-required is there (asked for by linux-base, linux-image-{NEWER})",
        f"kernel {RUNNING} runs, and {NEWER} is installed",
    ]


@pytest.mark.parametrize(
    ("running", "other", "newer", "unordered"),
    [
        ("6.12.73+deb13-amd64", "6.12.74+deb13+1-amd64", True, False),
        ("6.12.74+deb13+1-amd64", "6.12.74+deb13-amd64", False, False),
        ("5.14.0-503.8.1.el9_5.aarch64+64k", "5.14.0-503.11.1.el9_5.aarch64+64k", True, False),
        # Another kind, which the boot loader does not choose by itself.
        ("5.14.0-503.8.1.el9_5.aarch64+64k", "5.14.0-503.11.1.el9_5.aarch64", False, False),
        ("6.8.0-45-generic", "6.8.0-1099-nvidia", False, False),
        ("6.8.0-45-generic", "6.18.44-custom", False, True),
        ("6.18.43-custom", "6.18.44-custom", False, True),
    ],
)
def test_the_order_of_kernels_is_known_or_said_to_be_unknown(
    tmp_path: Path, running: str, other: str, newer: bool, unordered: bool
) -> None:
    files: dict[str, object] = {"proc/sys/kernel/osrelease": running}
    for kernel in (running, other):
        files |= {f"lib/modules/{kernel}/modules.dep": "", f"boot/vmlinuz-{kernel}": ""}

    node = machine(files)
    state = read(tmp_path, node)

    kernel_reasons = [one for one in state["reboot"]["reasons"] if one.startswith("kernel ")]
    assert kernel_reasons == ([f"kernel {running} runs, and {other} is installed"] if newer else [])
    assert ("reboot" in state["unread"]) is unordered
    if unordered:
        assert other in state["unread"]["reboot"]
        assert state["reboot"]["required"] is None
        assert other in bootable_kernels(state["kernel"], [running, other])


def test_a_container_runs_its_hosts_kernel(tmp_path: Path) -> None:
    files: dict[str, object] = {
        "run/systemd/container": "podman",
        "proc/sys/kernel/osrelease": "6.18.44-host",
        f"boot/vmlinuz-{NEWER}": "",
        f"lib/modules/{NEWER}/modules.dep": "",
    }

    state = read(tmp_path, machine(files))

    assert state["kernel"]["in_container"]
    assert not state["kernel"]["headers"]
    assert state["module"]["on_disk"] == "580.95.05"
    assert state["module"]["per_kernel"] == {RUNNING: "580.95.05", NEWER: None}
    assert state["reboot"]["reasons"] == []
    assert "6.18.44-host" in state["unread"]["initramfs"]


@pytest.mark.parametrize(
    ("files", "tools", "state", "how"),
    [
        ({}, {"mokutil": ToolResult(0, "SecureBoot enabled\n")}, "on", "mokutil"),
        ({}, {"mokutil": ToolResult(0, "SecureBoot disabled\n")}, "off", "mokutil"),
        ({_EFIVAR: b"\6\0\0\0\1"}, {}, "on", "efivars"),
        ({_EFIVAR: b"\6\0\0\0\0"}, {}, "off", "efivars"),
        ({"sys/firmware/efi/systab": ""}, {}, "unknown", "mokutil"),
        ({}, {}, "off", "not booted by UEFI"),
    ],
)
def test_secure_boot_is_found(
    tmp_path: Path, files: dict[str, object], tools: dict[str, ToolResult], state: str, how: str
) -> None:
    found = read(tmp_path, machine(files, tools=tools))

    assert found["secure_boot"] == state
    assert how in found["secure_boot_how"]
    assert ("secure_boot" in found["unread"]) is (state == "unknown")


@pytest.mark.parametrize(
    ("newer", "stale"),
    [
        (f"boot/initrd.img-{RUNNING}", False),
        ("etc/modprobe.d/blacklist-nouveau.conf", True),
        ("etc/modprobe.d/sound.conf", False),
    ],
)
def test_an_initramfs_older_than_the_blacklist_is_stale(
    tmp_path: Path, newer: str, stale: bool
) -> None:
    node = machine({"etc/modprobe.d/sound.conf": "options snd index=1"})
    root = node.lay(tmp_path)
    # The image must be later than what was laid with it, so that one file alone is newer.
    os.utime(root / f"boot/initrd.img-{RUNNING}", (LATER, LATER))
    os.utime(root / newer, (LATER + 60, LATER + 60))

    found = gather(Tree(str(root)), node.run, 2.0)["initramfs"]

    assert found["stale"] is stale
    assert (newer in found["reason"]) is stale


def test_a_file_of_the_administrator_hides_the_vendors(tmp_path: Path) -> None:
    files = {
        "usr/lib/modprobe.d/a.conf": "blacklist vendor",
        "etc/modprobe.d/a.conf": "",
        "usr/lib/modprobe.d/b.conf": "blacklist other",
    }

    assert read(tmp_path, machine(files))["blacklisted"] == ["nouveau", "nova_core", "other"]


def test_debians_own_toolkit_counts(tmp_path: Path) -> None:
    dpkg = "nvidia-cuda-toolkit\t11.8.89~11.8.0-5~deb12u1\tinstall ok installed\n"

    state = read(tmp_path, machine(os_id="debian", dpkg=dpkg))

    assert state["cuda"] == {"versions": ["11.8"], "default": "11.8"}


def test_rpm_is_asked_where_it_belongs(tmp_path: Path) -> None:
    files = {"etc/dnf/plugins/versionlock.list": "nvidia-open-3:580.95.05-1.el9.*"}
    rpm = ToolResult(0, "nvidia-open\t3\t580.95.05\t1.el9\tnoarch\n")

    state = read(tmp_path, machine(files, os_id="rocky", tools={"rpm": rpm}))

    assert state["packages"] == {"nvidia-open": {"version": "3:580.95.05-1.el9", "held": True}}
    assert state["dpkg_broken"] == []


def test_a_half_configured_package_is_told(tmp_path: Path) -> None:
    dpkg = "nvidia-kernel-dkms\t535.261.03-1\tinstall ok half-configured\n"

    assert read(tmp_path, machine(dpkg=dpkg))["dpkg_broken"] == ["nvidia-kernel-dkms"]


def test_what_cannot_be_read_is_null_and_says_why(tmp_path: Path) -> None:
    refused = ToolResult(2, "", "database is locked")
    files = {"sys/bus/pci/devices/0000:01:00.0/class": "GPU"}
    tools = {"dpkg-query": refused, "modinfo": refused}

    state = read(tmp_path, machine({**files, "proc/driver/nvidia/version": "rubbish"}, tools=tools))

    assert state["gpus"] is None
    assert state["nvswitches"] is None
    assert state["packages"] is None
    assert state["dpkg_broken"] is None
    assert state["dcgm"] is None
    assert state["module"]["on_disk"] is None
    assert state["module"]["per_kernel"] is None
    assert set(state["unread"]) == {"gpus", "nvswitches", "module", "packages"}
    assert "database is locked" in state["unread"]["packages"]
    assert make_plan(state, {}, UBUNTU)["problems"]


def test_nothing_at_all_can_be_read(tmp_path: Path) -> None:
    state = read(tmp_path, Machine({}))

    assert state["kernel"] is None
    assert state["secure_boot"] == "unknown"
    assert set(state["unread"]) == {
        "gpus",
        "nvswitches",
        "kernel",
        "secure_boot",
        "module",
        "packages",
        "initramfs",
    }


def test_what_hangs_costs_its_own_section_only(tmp_path: Path) -> None:
    state = read(tmp_path, machine({f"lib/modules/{RUNNING}/modules.dep": FIFO}))

    assert state["unread"] == {"module": "no answer within 2 s"}
    assert state["packages"] == {}
