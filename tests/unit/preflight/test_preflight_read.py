"""What is read on a node, from a folder that stands for its root."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.preflight.read import (
    parse_os_release,
    read_node,
)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('ID=debian\nVERSION_ID="12"\n', {"ID": "debian", "VERSION_ID": "12"}),
        ("# ID=no\n\nID='rocky'\nnonsense\n", {"ID": "rocky"}),
        ("", {}),
    ],
)
def test_os_release_is_parsed(content: str, expected: dict[str, str]) -> None:
    assert parse_os_release(content) == expected


def test_a_node_is_read(tmp_path: Path) -> None:
    (tmp_path / "usr" / "lib").mkdir(parents=True)
    (tmp_path / "usr" / "lib" / "os-release").write_text("ID=debian\n")
    (tmp_path / "var").mkdir()
    before = time.time()

    facts = read_node(tmp_path)

    assert facts["python"] == list(sys.version_info[:2])
    assert facts["euid"] == os.geteuid()
    assert facts["os_release"] == {"ID": "debian"}
    assert all(isinstance(free, int) and free > 0 for free in facts["free_bytes"].values())
    assert before <= facts["time"] <= time.time()


def test_what_cannot_be_read_is_none(tmp_path: Path) -> None:
    facts = read_node(tmp_path / "nowhere")

    assert facts["os_release"] == {}
    assert facts["free_bytes"] == {"/": None, "/var": None}
    assert facts["gpus"] is None
    assert facts["gpus_unread"] == "/sys/bus is not readable"


ORIN = b"nvidia,p3768-0000+p3767-0005\0nvidia,p3767-0005\0nvidia,tegra234\0"
THOR = b"nvidia,p4071-0000+p3834-0008\0nvidia,p3834-0008\0nvidia,tegra264\0"
L4T = (
    b"# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, DATE: Wed Jan "
    b" 8 01:49:37 UTC 2025\n# KERNEL_VARIANT: oot\nTARGET_USERSPACE_LIB_DIR=nvidia\n"
)


@pytest.mark.parametrize(
    ("files", "name"),
    [
        (
            {
                "proc/device-tree/compatible": ORIN,
                "proc/device-tree/model": b"NVIDIA Jetson Orin Nano Developer Kit\0",
                "etc/nv_tegra_release": L4T,
            },
            "NVIDIA Jetson Orin Nano Developer Kit",
        ),
        (
            {
                "sys/firmware/devicetree/base/compatible": THOR,
                "sys/firmware/devicetree/base/model": b"NVIDIA Jetson AGX Thor Developer Kit\0",
            },
            "NVIDIA Jetson AGX Thor Developer Kit",
        ),
        ({"proc/device-tree/compatible": b"nvidia,tegra210\0"}, "an NVIDIA Tegra"),
        # A container on one sees the release alone, or the tree alone.
        ({"etc/nv_tegra_release": L4T}, "an NVIDIA Tegra"),
        ({"etc/nv_tegra_release": b"\xff"}, "an NVIDIA Tegra"),
        # Others: a Raspberry Pi, a server.
        (
            {
                "proc/device-tree/compatible": b"raspberrypi,4-model-b\0brcm,bcm2711\0",
                "proc/device-tree/model": b"Raspberry Pi 4 Model B Rev 1.4\0",
            },
            "",
        ),
        ({}, ""),
    ],
)
def test_a_jetson_is_recognised(tmp_path: Path, files: dict[str, bytes], name: str) -> None:
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)

    assert read_node(tmp_path)["jetson"] == name


def test_only_nvidias_gpus_are_listed(tmp_path: Path) -> None:
    for bdf, vendor in (("0000:01:00.0", "0x10de"), ("0000:c4:00.0", "0x1a03")):
        device = tmp_path / "sys/bus/pci/devices" / bdf
        device.mkdir(parents=True)
        for name, text in (("class", "0x030000"), ("vendor", vendor), ("device", "0x1db4")):
            (device / name).write_text(f"{text}\n")

    facts = read_node(tmp_path)

    assert [(gpu["bdf"], gpu["architecture"]) for gpu in facts["gpus"]] == [
        ("0000:01:00.0", "volta")
    ]
