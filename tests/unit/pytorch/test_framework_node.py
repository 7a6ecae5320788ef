"""Reading what decides on a node's environment."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.framework.node import (
    free_bytes,
    link_target,
    makes_environments,
    nvidia_gpus,
)
from ansible_collections.gpulab.core.plugins.module_utils.hardware.tree import ProbeError, Tree


def bus(root: Path, **devices: tuple[str, str]) -> Tree:
    """Make a PCI bus of {address: (vendor, class)}, `_` standing for `:`."""
    for name, (vendor, kind) in devices.items():
        folder = root / "sys/bus/pci/devices" / name.replace("_", ":")
        folder.mkdir(parents=True)
        (folder / "vendor").write_text(f"{vendor}\n")
        (folder / "class").write_text(f"{kind}\n")
        (folder / "device").write_text("0x2330\n")
    return Tree(str(root))


def test_gpus_are_counted_without_their_audio_and_without_others(tmp_path: Path) -> None:
    tree = bus(
        tmp_path,
        **{
            "0000_41_00.0": ("0x10de", "0x030200"),
            "0000_01_00.0": ("0x10de", "0x030000"),
            "0000_01_00.1": ("0x10de", "0x040300"),
            "0000_05_00.0": ("0x1a03", "0x030000"),
            "0000_c1_00.0": ("0x10de", "0x068000"),
        },
    )
    assert nvidia_gpus(tree) == ["0000:01:00.0", "0000:41:00.0"]


def test_no_sysfs_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(ProbeError):
        nvidia_gpus(Tree(str(tmp_path)))


def test_the_environment_in_use_is_what_the_link_points_to(tmp_path: Path) -> None:
    prefix = tmp_path / "pytorch"
    assert link_target(prefix) == ""
    (tmp_path / "versions" / "key").mkdir(parents=True)
    prefix.symlink_to(tmp_path / "versions" / "key")
    assert link_target(prefix) == "key"
    (tmp_path / "versions" / "key").rmdir()
    assert link_target(prefix) == ""


def test_a_folder_in_the_links_place_is_no_environment(tmp_path: Path) -> None:
    assert link_target(tmp_path) == ""


def test_space_is_asked_of_the_nearest_folder(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "not" / "yet") > 0


def test_only_an_interpreter_with_ensurepip_makes_environments(tmp_path: Path) -> None:
    assert makes_environments(Path(sys.executable))
    assert not makes_environments(tmp_path / "python3.12")
    bare = tmp_path / "python3"
    bare.write_text("#!/bin/sh\nexit 1\n")
    bare.chmod(0o755)
    assert not makes_environments(bare)
