"""Runs that share a folder take turns, and a holder that dies holds nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.file_lock import one_at_a_time

HOLDER = """
import sys, time
from pathlib import Path
from ansible_collections.gpulab.core.plugins.module_utils.file_lock import one_at_a_time
with one_at_a_time(Path(sys.argv[1]), 1):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": "python_modules"},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


@pytest.mark.usefixtures("holder")
def test_the_second_waits_and_is_told_who_is_there(tmp_path: Path) -> None:
    began = time.monotonic()
    with (
        pytest.raises(TimeoutError, match=f"`fuser -v {tmp_path}` names it"),
        one_at_a_time(tmp_path, 0.5),
    ):
        pytest.fail("two were in at once")
    assert time.monotonic() - began >= 0.5


def test_a_holder_that_is_killed_holds_nothing(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    holder.kill()
    holder.wait()
    with one_at_a_time(tmp_path, 0):
        assert list(tmp_path.iterdir()) == []


def test_an_error_inside_ends_the_turn(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="inside"), one_at_a_time(tmp_path, 0):
        raise ValueError("inside")
    with one_at_a_time(tmp_path, 0):
        pass
