"""Processes take turns, and a holder that dies holds nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.file_lock import (
    LockedError,
    exclusive_lock,
)

HOLDER = """
import sys, time
from pathlib import Path
from ansible_collections.gpulab.core.plugins.module_utils.file_lock import exclusive_lock
with exclusive_lock(Path(sys.argv[1]), 1):
    print("held", flush=True)
    time.sleep(60)
"""

Hold = Callable[[Path], "subprocess.Popen[str]"]


@pytest.fixture
def hold() -> Iterator[Hold]:
    """Let another process hold a path."""
    started: list[subprocess.Popen[str]] = []

    def start(path: Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(path)],
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": "python_modules"},
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture(params=["folder", "file"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """What is locked: a folder that is there, or a file that need not be, nor its folder."""
    return tmp_path if request.param == "folder" else tmp_path / "state" / "own.lock"


def test_the_second_waits_and_is_told_who_is_there(path: Path, hold: Hold) -> None:
    holder = hold(path)
    is_folder = path.is_dir()
    told = "another process" if is_folder else f"process {holder.pid}"
    began = time.monotonic()
    with pytest.raises(LockedError) as refused, exclusive_lock(path, 0.5):
        pytest.fail("two were in at once")
    assert time.monotonic() - began >= 0.5
    assert str(refused.value).startswith(f"{told} has been at work on {path} for 0.5 s: ")
    assert (f"`fuser -v {path}` names it" in str(refused.value)) is is_folder


def test_a_holder_that_is_killed_holds_nothing(tmp_path: Path, path: Path, hold: Hold) -> None:
    holder = hold(path)
    holder.kill()
    holder.wait()
    with exclusive_lock(path, 0):
        left = [] if path == tmp_path else [path.parent, path]
        assert sorted(tmp_path.rglob("*")) == left


def test_an_error_inside_ends_the_turn(path: Path) -> None:
    with pytest.raises(ValueError, match="inside"), exclusive_lock(path, 0):
        raise ValueError("inside")
    with exclusive_lock(path, 0):
        pass


def test_what_a_holder_does_is_told(tmp_path: Path, hold: Hold) -> None:
    path = tmp_path / "lock"
    holder = hold(path)
    told = f"^process {holder.pid} has been changing this node for 0 s: let it end"
    with pytest.raises(LockedError, match=told), exclusive_lock(path, 0, "changing this node"):
        pytest.fail("two were in at once")


def test_a_holder_that_hangs_is_ended_by_force(tmp_path: Path, hold: Hold) -> None:
    path = tmp_path / "lock"
    holder = hold(path)
    with exclusive_lock(path, 1, by_force=True):
        assert holder.wait() == -9


def test_a_process_that_has_the_holders_number_is_left_alone(tmp_path: Path) -> None:
    """The file names a process that is not the one that wrote it: it began at another time."""
    path = tmp_path / "lock"
    with exclusive_lock(path, 0):
        path.write_text("1 0")
        with (
            pytest.raises(LockedError, match=r"process \? .* cannot be ended"),
            exclusive_lock(path, 0.1, by_force=True),
        ):
            pytest.fail("two were in at once")


def test_a_file_that_others_must_not_lock_is_its_owners(tmp_path: Path) -> None:
    with exclusive_lock(tmp_path / "lock", 0, mode=0o600):
        assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600
