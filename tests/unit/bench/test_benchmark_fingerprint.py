"""A training stands for a new one only while nothing changed that it depends on."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.benchmark.fingerprint import fingerprint
from ansible_collections.gpulab.core.plugins.module_utils.hardware.sysfs import Tree

PYTHON = "/opt/gpulab/pytorch/bin/python"
BENCH = "/opt/gpulab/bench/gpulab_bench.pyz"
ASKED = {"preset": "xs", "checks": {}}
GPU = "sys/bus/pci/devices/0000:3b:00.0"
INFORMATION = "proc/driver/nvidia/gpus/0000:3b:00.0/information"
FILES = {
    "etc/machine-id": "f00d\n",
    "proc/sys/kernel/random/boot_id": "b007\n",
    "proc/sys/kernel/osrelease": "6.1.0-55-amd64\n",
    "proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64  580.95.05\n",
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: EPYC\n\nprocessor\t: 1\nmodel name\t: EPYC\n",
    "proc/meminfo": "MemTotal:       1024 kB\nMemFree: 12 kB\n",
    f"{GPU}/class": "0x030200\n",
    f"{GPU}/vendor": "0x10de\n",
    f"{GPU}/device": "0x2330\n",
    INFORMATION: "Model: \t\t NVIDIA H100\nGPU UUID: \t GPU-1111\n",
    "opt/gpulab/envs/torch-1/requirements.txt": "torch==2.13.0\n",
    "opt/gpulab/envs/torch-2/requirements.txt": "torch==2.13.0\n",
    "opt/gpulab/bench/gpulab_bench.pyz": "packed",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A node with an H100."""
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "opt/gpulab/pytorch").symlink_to("envs/torch-1")
    return tmp_path


def taken(root: Path, **asked: object) -> dict[str, str]:
    return fingerprint(Tree(str(root)), PYTHON, BENCH, {**ASKED, **asked})


def test_it_is_the_same_while_nothing_changes(root: Path) -> None:
    first = taken(root)
    (root / "proc/meminfo").write_text("MemTotal:       1024 kB\nMemFree: 7 kB\n")
    assert taken(root) == first
    assert first["gpus"] == "0000:3b:00.0 GPU-1111"
    assert first["processor"] == "2 x EPYC"


@pytest.mark.parametrize(
    ("file", "text", "key"),
    [
        ("etc/machine-id", "beef", "installation"),
        ("proc/sys/kernel/random/boot_id", "b008", "boot"),
        ("proc/sys/kernel/osrelease", "6.1.0-56-amd64", "kernel"),
        ("proc/driver/nvidia/version", "NVRM version: 590.44.01", "driver"),
        (INFORMATION, "GPU UUID: GPU-2222", "gpus"),
        ("proc/cpuinfo", "processor : 0\nmodel name : EPYC", "processor"),
        ("proc/meminfo", "MemTotal: 512 kB", "memory"),
        ("opt/gpulab/envs/torch-1/requirements.txt", "torch==2.14.0", "environment"),
        ("opt/gpulab/bench/gpulab_bench.pyz", "another", "bench"),
    ],
)
def test_each_part_counts(root: Path, file: str, text: str, key: str) -> None:
    before = taken(root)
    (root / file).write_text(text)
    after = taken(root)
    assert {name for name in before if before[name] != after[name]} == {key}


def test_another_environment_counts(root: Path) -> None:
    before = taken(root)
    (root / "opt/gpulab/pytorch").unlink()
    (root / "opt/gpulab/pytorch").symlink_to("envs/torch-2")
    assert taken(root)["environment"] != before["environment"]


def test_a_gpu_that_is_gone_counts(root: Path) -> None:
    before = taken(root)
    (root / GPU / "class").write_text("0x020000")
    assert taken(root)["gpus"] == "none" != before["gpus"]


def test_what_was_asked_for_counts(root: Path) -> None:
    assert taken(root, checks={"loss_ratio_max": 0.1})["asked"] != taken(root)["asked"]


@pytest.mark.parametrize(
    "file",
    [
        "etc/machine-id",
        "proc/sys/kernel/random/boot_id",
        "proc/sys/kernel/osrelease",
        "proc/cpuinfo",
        "proc/meminfo",
        f"{GPU}/class",
        "opt/gpulab/envs/torch-1/requirements.txt",
        "opt/gpulab/bench/gpulab_bench.pyz",
    ],
)
def test_what_can_not_be_read_is_not_unchanged(root: Path, file: str) -> None:
    (root / file).unlink()
    assert taken(root) == {}


def test_a_card_that_does_not_say_which_it_is_is_not_known(root: Path) -> None:
    (root / INFORMATION).write_text("Model: NVIDIA H100")
    assert taken(root) == {}


def test_without_the_driver_the_chip_tells(root: Path) -> None:
    (root / INFORMATION).unlink()
    assert taken(root)["gpus"] == "0000:3b:00.0 0x2330"


def test_a_machine_without_a_gpu_and_driver_has_one(root: Path) -> None:
    (root / GPU / "class").write_text("0x020000")
    (root / "proc/driver/nvidia/version").unlink()
    assert taken(root)["driver"] == "none"
