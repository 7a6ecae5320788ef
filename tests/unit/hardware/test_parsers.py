"""Parsers: tables of captured forms, and arbitrary text."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hardware_machines import Link, Machine, cpus, gpu, module, nic, nvme, sata, smi
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpulab.core.plugins.module_utils.hardware.clock import (
    parse_timedatectl,
    parse_tracking,
    read_clock,
)
from ansible_collections.gpulab.core.plugins.module_utils.hardware.cpu import (
    cpuinfo_value,
    parse_cpu_list,
    read_cpu,
)
from ansible_collections.gpulab.core.plugins.module_utils.hardware.disks import (
    read_disks,
    unit_serial,
)
from ansible_collections.gpulab.core.plugins.module_utils.hardware.gpu_facts import normal_bdf
from ansible_collections.gpulab.core.plugins.module_utils.hardware.memory import meminfo_bytes
from ansible_collections.gpulab.core.plugins.module_utils.hardware.nics import read_nics
from ansible_collections.gpulab.core.plugins.module_utils.hardware.nvidia import (
    lost_gpus,
    parse_module_version,
    read_nvidia,
)
from ansible_collections.gpulab.core.plugins.module_utils.hardware.nvidia_smi import parse_smi
from ansible_collections.gpulab.core.plugins.module_utils.hardware.osinfo import (
    parse_os_release,
    read_os,
)
from ansible_collections.gpulab.core.plugins.module_utils.hardware.pci import read_gpus
from ansible_collections.gpulab.core.plugins.module_utils.hardware.sysfs import (
    ProbeError,
    Tree,
    parse_int,
)
from ansible_collections.gpulab.core.plugins.module_utils.hardware.tools import ToolResult, run_tool

BDF = "0000:01:00.0"
NOW_S = 1_795_460_300.0


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("0", [0]),
        ("0-3", [0, 1, 2, 3]),
        ("0-1,8,10-11", [0, 1, 8, 10, 11]),
        ("", []),
        ("a-b", []),
        ("0-", []),
    ],
)
def test_cpu_list(text: str, numbers: list[int]) -> None:
    assert parse_cpu_list(text) == numbers


def test_cores_on_two_dies_may_share_a_number(tmp_path: Path) -> None:
    files = cpus(1, 4, 2)
    # All core ids the same, as if each core sat on a die of its own.
    files |= {f"sys/devices/system/cpu/cpu{n}/topology/core_id": 0 for n in range(8)}
    assert read_cpu(Tree(str(Machine(files).lay(tmp_path))), "x86_64")["cores"] == 4


def test_offline_processors_do_not_count(tmp_path: Path) -> None:
    files = {**cpus(2, 8, 1), "sys/devices/system/cpu/online": "0-7"}
    found = read_cpu(Tree(str(Machine(files).lay(tmp_path))), "arm64")
    assert (found["sockets"], found["cores"], found["architecture"]) == (1, 8, "aarch64")


def test_a_raid_array_its_paths_and_other_devices_do_not_add_to_the_disks(tmp_path: Path) -> None:
    files = {
        **sata("sda", 4, "S1"),
        **sata("sdb", 4, "S2", dev="8:16"),
        # A second path to sda.
        **{path.replace("sda", "sdc"): file for path, file in sata("sda", 4, "S1").items()},
        "sys/block/sdc": Link(
            "sys/devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sdc"
        ),
    }
    for name in ("md0", "dm-0", "loop3", "zram0", "ram1", "zd0"):
        files[f"sys/block/{name}"] = Link(f"sys/devices/virtual/block/{name}")
        files[f"sys/devices/virtual/block/{name}/size"] = 1000
    files["sys/block/sr0"] = Link("sys/devices/pci0000:00/0000:00:17.0/ata2/block/sr0")
    files["sys/devices/pci0000:00/0000:00:17.0/ata2/block/sr0/size"] = 2097151
    files["sys/block/sdz"] = Link("sys/devices/pci0000:00/usb1/1-1/block/sdz")
    files["sys/devices/pci0000:00/usb1/1-1/block/sdz/size"] = 0
    found = read_disks(Tree(str(Machine(files).lay(tmp_path))))
    assert [(disk["name"], disk["serial"]) for disk in found] == [("sda", "S1"), ("sdb", "S2")]


def test_an_nvme_disk_with_multipath_is_one_disk_at_its_controllers_address(
    tmp_path: Path,
) -> None:
    subsystem = "sys/devices/virtual/nvme-subsystem/nvme-subsys0"
    controller = "sys/devices/pci0000:80/0000:81:00.0/nvme/nvme0"
    files = {
        "sys/block/nvme0n1": Link(f"{subsystem}/nvme0n1"),
        f"{subsystem}/nvme0n1/size": 1000,
        f"{subsystem}/nvme0n1/queue/rotational": 0,
        f"{subsystem}/nvme0n1/device": Link(subsystem),
        f"{subsystem}/nvme0": Link(controller),
        f"{subsystem}/serial": "S1",
        "sys/block/nvme0c0n1": Link(f"{controller}/nvme0c0n1"),
        f"{controller}/nvme0c0n1/hidden": 1,
    }
    (disk,) = read_disks(Tree(str(Machine(files).lay(tmp_path))))
    assert (disk["name"], disk["serial"], disk["bdf"]) == ("nvme0n1", "S1", "0000:81:00.0")


@pytest.mark.parametrize(
    ("real", "extra", "transport"),
    [
        ("pci0000:00/0000:00:17.0/ata1/host0/block/sda", {}, "sata"),
        ("pci0000:00/0000:03:00.0/host0/port-0:0/end_device-0:0/block/sda", {}, "sas"),
        (
            "pci0000:00/0000:03:00.0/host0/port-0:0/end_device-0:0/block/sda",
            {"device/vendor": "ATA     "},
            "sata",
        ),
        ("pci0000:00/0000:03:00.0/host0/target0:2:0/block/sda", {}, "scsi"),
        ("pci0000:00/0000:00:14.0/usb2/2-1/host6/block/sda", {}, "usb"),
        ("pci0000:00/0000:00:05.0/virtio3/host2/block/sda", {}, "virtio"),
        ("platform/host7/session1/target7:0:0/block/sda", {}, "iscsi"),
    ],
)
def test_transport_of_a_scsi_disk(tmp_path: Path, real: str, extra: dict, transport: str) -> None:
    files = {"sys/block/sda": Link(f"sys/devices/{real}"), f"sys/devices/{real}/size": 10}
    files |= {f"sys/devices/{real}/{path}": text for path, text in extra.items()}
    (disk,) = read_disks(Tree(str(Machine(files).lay(tmp_path))))
    assert disk["transport"] == transport


@pytest.mark.parametrize(
    ("page", "serial"),
    [
        (b"\x00\x80\x00\x08  ZJV0A1", "ZJV0A1"),
        (b"\x00\x80\x00\x04ZJV0A1", "ZJV0"),
        (b"\x00\x83\x00\x04ZJV0", None),
        (b"\x00\x80\x00\x04    ", None),
        (b"", None),
    ],
)
def test_unit_serial(page: bytes, serial: str | None) -> None:
    assert unit_serial(page) == serial


def test_nic_states(tmp_path: Path) -> None:
    files = {
        **nic("up0", 10000, mac="00:00:00:00:00:01", bdf="0000:01:00.0"),
        **nic("down0", -1, carrier=0, mac="00:00:00:00:00:02", bdf="0000:02:00.0"),
        **nic("off0", "", carrier="", mac="00:00:00:00:00:03", bdf="0000:03:00.0"),
        "sys/class/net/bonding_masters": "bond0",
        "sys/class/net/bond0": Link("sys/devices/virtual/net/bond0"),
        "sys/devices/virtual/net/bond0/bonding/mode": "802.3ad 4",
        "sys/devices/virtual/net/bond0/flags": "0x1003",
        "sys/devices/virtual/net/bond0/carrier": 1,
        "sys/devices/virtual/net/bond0/speed": 20000,
        "sys/devices/virtual/net/bond0/address": "00:00:00:00:00:01",
    }
    off = "sys/devices/pci0000:40/0000:03:00.0/net/off0"
    files[f"{off}/flags"] = "0x1002"
    # In a bond both show the bond's address.
    files["sys/devices/pci0000:40/0000:01:00.0/net/up0/bonding_slave/perm_hwaddr"] = "00:aa"
    found = read_nics(Tree(str(Machine(files).lay(tmp_path))))
    assert [(card["name"], card["link"], card["speed_mbps"], card["mac"]) for card in found] == [
        ("bond0", "up", 20000, "00:00:00:00:00:01"),
        ("down0", "down", None, "00:00:00:00:00:02"),
        ("off0", "down", None, "00:00:00:00:00:03"),
        ("up0", "up", 10000, "00:aa"),
    ]


def test_a_virtual_function_is_no_hardware_of_its_own(tmp_path: Path) -> None:
    files = nic("vf0", 10000, mac="00:00:00:00:00:01")
    files["sys/devices/pci0000:40/0000:41:00.0/physfn"] = Link("sys/devices/pci0000:40/pf")
    assert read_nics(Tree(str(Machine(files).lay(tmp_path))))[0]["physical"] is False


def test_an_unknown_gpu_keeps_its_id(tmp_path: Path) -> None:
    (found,) = read_gpus(Tree(str(Machine(gpu(BDF, "0xffff")).lay(tmp_path))))
    assert (found["device_id"], found["name"], found["vendor"]) == ("0xffff", None, "NVIDIA")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 18:56:32 UTC",
            ("535.129.03", "proprietary"),
        ),
        (
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build",
            ("580.65.06", "open"),
        ),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  595.44", ("595.44", "open")),
        ("GCC version: 13.2.0 ", (None, None)),
        ("", (None, None)),
    ],
)
def test_module_version(text: str, found: tuple) -> None:
    assert parse_module_version(text) == found


@pytest.mark.parametrize(
    ("text", "bdfs"),
    [
        (
            "Unable to determine the device handle for GPU0000:CB:00.0: Unknown Error",
            ["0000:cb:00.0"],
        ),
        (
            (
                "Unable to determine the device handle for GPU 0000:01:00.0: GPU is lost.  Reboot "
                "the system to recover this GPU"
            ),
            ["0000:01:00.0"],
        ),
        (
            "Unable to determine the device handle for GPU1: 0000:34:00.0: Unknown Error",
            ["0000:34:00.0"],
        ),
        ("Unable to determine the device handle for GPU0: Unknown Error", []),
    ],
)
def test_lost_gpus(text: str, bdfs: list[str]) -> None:
    assert lost_gpus(text) == bdfs


@pytest.mark.parametrize(
    ("nvml", "sysfs"),
    [
        ("00000000:3B:00.0", "0000:3b:00.0"),
        ("00000009:01:00.0", "0009:01:00.0"),
        ("00010000:01:00.0", "10000:01:00.0"),
        ("0000:3b:00.0", "0000:3b:00.0"),
    ],
)
def test_addresses_are_written_as_sysfs_does(nvml: str, sysfs: str) -> None:
    assert normal_bdf(nvml) == sysfs


@pytest.mark.parametrize("nothing", ["N/A", "[N/A]", "ERR!", "[Unknown Error]", "GPU is lost", ""])
def test_what_a_board_does_not_tell_is_null(nothing: str) -> None:
    text = smi([BDF], "NVIDIA A10", 23028).stdout
    for known in ("Enabled", "NVIDIA A10", "23028 MiB", "16x", "1650522003800", "92.00.36.00.02"):
        text = text.replace(f">{known}<", f">{nothing}<")
    (found,) = parse_smi(text)["gpus"]
    for field in ("name", "serial", "memory_bytes", "ecc", "persistence", "vbios_version"):
        assert found[field] is None, field
    assert found["link"]["width"] is None
    assert found["bdf"] == BDF


def test_a_serial_of_zeros_names_no_part() -> None:
    text = smi([BDF], "Tesla T4", 15360).stdout.replace("1650522003800", "0000000000000")
    assert parse_smi(text)["gpus"][0]["serial"] is None


def test_words_before_the_xml_do_not_hide_it() -> None:
    text = "WARNING: infoROM is corrupted at gpu 0000:01:00.0\n" + smi([BDF], "X", 1).stdout
    assert len(parse_smi(text)["gpus"]) == 1


def test_nvidia_smi_that_is_not_installed_leaves_the_gpus_unknown(tmp_path: Path) -> None:
    machine = Machine({**gpu(BDF, "0x20b2"), **module("580.65.06")})
    found = read_nvidia(Tree(str(machine.lay(tmp_path))), machine.run)
    assert (found["module_loaded"], found["gpus"]) == (True, None)
    assert found["message"] == "nvidia-smi is not installed"


def test_nvidia_smi_that_fails_otherwise_is_unknown(tmp_path: Path) -> None:
    machine = Machine(
        {**gpu(BDF, "0x20b2"), **module("580.65.06")},
        {"nvidia-smi": ToolResult(9, "NVIDIA-SMI has failed because of something new")},
    )
    with pytest.raises(ProbeError, match="something new"):
        read_nvidia(Tree(str(machine.lay(tmp_path))), machine.run)


@pytest.mark.parametrize(
    ("text", "synchronised", "offset"),
    [
        (
            (
                "C0000201,192.0.2.1,3,1763917000.1,-0.000012,0.000001,0.000002,-5.1,0.001,0.012,"
                "0.0003,0.0001,64.4,Normal\n"
            ),
            True,
            0.000012,
        ),
        (
            "00000000,,0,0.000000000,0.000000000,0.0,0.0,0.0,0.0,0.0,1.0,1.0,0,Not synchronised\n",
            False,
            0.0,
        ),
    ],
)
def test_tracking(text: str, synchronised: bool, offset: float) -> None:
    found = parse_tracking(text, NOW_S)
    assert (found["synchronised"], found["offset_s"]) == (synchronised, pytest.approx(offset))


def test_tracking_tells_the_bound_of_the_error_and_when_the_source_was_heard() -> None:
    text = f"C0,a,3,{NOW_S - 90},-0.5,0,0,0,0,0,0.25,0.125,64.4,Normal"
    found = parse_tracking(text, NOW_S)
    assert (found["offset_s"], found["error_s"], found["update_age_s"]) == (0.5, 0.75, 90.0)


def test_a_clock_that_never_heard_from_a_source_has_no_age() -> None:
    found = parse_tracking("0,,0,0.0,0,0,0,0,0,0,1,1,0,Not synchronised", NOW_S)
    assert found["update_age_s"] is None


def test_a_clock_that_leads_by_itself_is_not_synchronised() -> None:
    # As a head without upstreams says it: directive "local stratum 10".
    text = "7F7F0101,,10,1795460256.1,0.000000000,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,Normal"
    found = parse_tracking(text, NOW_S)
    assert (found["synchronised"], found["reference"]) == (False, "its own clock")


@pytest.mark.parametrize("offset", ["nan", "inf", "", "0,1"])
def test_an_offset_that_is_no_number_is_refused(offset: str) -> None:
    good = "C0,a,3,1,{},0,0,0,0,0,0,0,64.4,Normal"
    with pytest.raises(ProbeError):
        parse_tracking(good.format(offset), NOW_S)


def test_chrony_is_asked_before_systemd() -> None:
    answers = {
        "chronyc": ToolResult(1, "506 Cannot talk to daemon"),
        "timedatectl": ToolResult(0, "no\n"),
    }
    found = read_clock(lambda argv: answers[argv[0]])
    assert (found["source"], found["synchronised"]) == ("timedatectl", False)


@pytest.mark.parametrize(
    ("files", "kind", "technology"),
    [
        ({"run/systemd/container": "podman"}, "container", "podman"),
        ({"run/.containerenv": ""}, "container", "podman"),
        ({".dockerenv": ""}, "container", "docker"),
        ({"proc/1/environ": b"PATH=/\0container=lxc\0"}, "container", "lxc"),
        ({"proc/cpuinfo": "flags : fpu hypervisor"}, "vm", None),
        # A cloud's bare-metal node has the cloud's name and no hypervisor.
        (
            {"proc/cpuinfo": "flags : fpu", "sys/class/dmi/id/sys_vendor": "Amazon EC2"},
            "none",
            None,
        ),
        ({"sys/class/dmi/id/sys_vendor": "QEMU"}, "vm", "qemu"),
        ({}, "none", None),
    ],
)
def test_virtualization(tmp_path: Path, files: dict, kind: str, technology: str | None) -> None:
    tree = Tree(str(Machine({"etc/os-release": "ID=x", **files}).lay(tmp_path)))
    found = read_os(tree)
    assert (found["virtualization"], found["virtualization_technology"]) == (kind, technology)


def test_a_real_tool_and_one_that_is_not_there() -> None:
    assert run_tool(["echo", "hello"]) == ToolResult(0, "hello\n")
    assert run_tool(["false"]).complaint == "exit status 1"
    assert run_tool(["no-such-tool-anywhere"]).missing


ANYTHING = st.text()
XML_LIKE = st.builds("<nvidia_smi_log>{}</nvidia_smi_log>".format, st.text("<>/gpu id=\"'&;!x0"))


@given(st.one_of(ANYTHING, XML_LIKE))
def test_parse_smi_raises_nothing_but_its_own_error(text: str) -> None:
    with contextlib.suppress(ProbeError):
        parse_smi(text)


@given(st.one_of(ANYTHING, st.lists(ANYTHING, min_size=14, max_size=14).map(",".join)))
def test_parse_tracking_raises_nothing_but_its_own_error(text: str) -> None:
    with contextlib.suppress(ProbeError):
        parse_tracking(text, NOW_S)


@given(ANYTHING)
def test_parse_timedatectl_raises_nothing_but_its_own_error(text: str) -> None:
    with contextlib.suppress(ProbeError):
        parse_timedatectl(text)


@given(ANYTHING, st.binary())
def test_the_other_parsers_raise_nothing(text: str, data: bytes) -> None:
    parse_cpu_list(text)
    cpuinfo_value(text, "flags")
    meminfo_bytes(text, "MemTotal")
    parse_module_version(f"NVRM version: {text}")
    parse_os_release(text)
    lost_gpus(text)
    normal_bdf(text)
    parse_int(text)
    unit_serial(data)


@given(ANYTHING.filter(lambda text: "\0" not in text))
def test_a_tree_of_garbage_raises_nothing_but_its_own_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    files = {
        **nvme("nvme0n1", 1, "S"),
        **nic("eth0", 1, mac="0"),
        **gpu(BDF, "0"),
        **cpus(1, 1),
    }
    garbage = {
        path: file if isinstance(file, Link) else text.encode("utf-8", "surrogatepass")
        for path, file in files.items()
    }
    tree = Tree(str(Machine(garbage).lay(tmp_path_factory.mktemp("garbage"))))
    for read in (read_disks, read_nics, read_gpus, read_os, lambda t: read_cpu(t, "x")):
        with contextlib.suppress(ProbeError):
            read(tree)
