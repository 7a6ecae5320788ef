"""Reading what decides on a node's environment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.framework.node import (
    environments,
    free_bytes,
    link_target,
    makes_environments,
    nvidia_gpus,
    processes_in,
    unlike,
)
from ansible_collections.gpulab.core.plugins.module_utils.hardware.sysfs import ProbeError, Tree


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


def process(proc: Path, number: int, *, exe: str, arguments: str = "x", maps: str = "") -> None:
    """Make a process's folder as /proc has it."""
    folder = proc / str(number)
    folder.mkdir(parents=True)
    (folder / "exe").symlink_to(exe)
    (folder / "cwd").symlink_to("/")
    (folder / "cmdline").write_text(arguments)
    (folder / "maps").write_text(maps)


def test_a_process_is_found_by_what_it_has_loaded_or_was_called_with(tmp_path: Path) -> None:
    """Its executable is the platform's Python, whatever environment it runs in."""
    proc, old, new = tmp_path / "proc", tmp_path / "v/old", tmp_path / "v/new"
    library = f"7f00-7f01 r-xp 00000000 08:01 77 {old}/lib/python3.11/site-packages/a.so\n"
    process(proc, 10, exe="/usr/bin/python3.11", maps=library)
    process(proc, 9, exe="/usr/bin/python3.11", arguments=f"{old}/bin/python\0-m\0x\0")
    process(proc, 11, exe="/usr/bin/python3.11", arguments=f"{old}er/bin/python\0")
    process(proc, 12, exe=f"{new}/bin/tool")
    (proc / "13").mkdir()  # a kernel thread has no executable
    (proc / "meminfo").write_text("")
    assert processes_in([old, new], proc) == {old: [9, 10], new: [12]}


def test_of_a_process_of_another_machine_the_arguments_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process(tmp_path / "proc", 1, exe="/sbin/init", arguments="/sbin/init\0")
    process(tmp_path / "proc", 9, exe="/usr/bin/x", arguments=f"{tmp_path}/bin/python\0")

    def refuse(_: Path) -> Path:
        raise PermissionError

    monkeypatch.setattr(Path, "readlink", refuse)
    assert processes_in([tmp_path], tmp_path / "proc") == {tmp_path: [9]}


def test_a_real_process_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "env"
    folder.mkdir()
    program = "import time; print(flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=folder, stdout=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        running.stdout.readline()
        found = processes_in([folder], Path("/proc"))
        running.kill()
    assert found == {folder: [running.pid]}


def test_environments_say_whether_they_were_proved(tmp_path: Path) -> None:
    for name in ("half", "whole"):
        (tmp_path / "v" / name).mkdir(parents=True)
    (tmp_path / "v/whole/pyvenv.cfg").write_text("")
    (tmp_path / "v/whole/.gpulab-proved").write_text("")
    (tmp_path / "v/file").write_text("")
    (tmp_path / "proc").mkdir()
    half, whole = environments(tmp_path / "v", tmp_path / "proc")
    assert half == {"name": "half", "proved": False, "made": 0.0, "processes": []}
    assert whole["proved"]
    assert whole["made"] > 0
    assert environments(tmp_path / "none", tmp_path / "proc") == []


def test_files_that_differ_are_named_where_they_are_wanted(tmp_path: Path) -> None:
    (tmp_path / "same").write_text("x\n")
    (tmp_path / "other").write_text("y\n")
    wanted = [
        {"path": str(tmp_path / "same"), "content": "x\n"},
        {"path": str(tmp_path / "other"), "content": "x\n", "only_with": str(tmp_path)},
        {"path": str(tmp_path / "missing"), "content": "x\n", "only_with": ""},
        {"path": str(tmp_path / "m/f"), "content": "x", "only_with": str(tmp_path / "modules")},
    ]
    assert unlike(wanted) == [str(tmp_path / "other"), str(tmp_path / "missing")]
