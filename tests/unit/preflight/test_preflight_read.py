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
