"""Programs that hang, breed, crash and babble, run for real."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.gpulab.core.plugins.module_utils import process
from ansible_collections.gpulab.core.plugins.module_utils.benchmark.environment import (
    parse_oom_kills,
    restricted_environment,
)
from ansible_collections.gpulab.core.plugins.module_utils.process import run_group

FakePython = Callable[[str], str]
ENV = {"PATH": os.environ["PATH"]}


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead but not yet reaped by its parent does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in ("Z", "X")


def ends(pid: int) -> bool:
    """Wait a little for a process that was told to die."""
    deadline = time.monotonic() + 5
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def test_an_ordinary_program(fake_python: FakePython) -> None:
    program = fake_python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    outcome = run_group([program], ENV, 30)
    assert (outcome.returncode, outcome.timed_out) == (3, False)
    assert (outcome.stdout, outcome.stderr_tail) == ("out\n", "err")
    assert 0 < outcome.wall_s < 30


def test_a_program_that_hangs_is_ended_and_may_have_its_say(fake_python: FakePython) -> None:
    program = fake_python(
        """
        import signal, sys, time
        def stop(*_):
            print("partial", flush=True)
            sys.exit(6)
        signal.signal(signal.SIGTERM, stop)
        print("ready", flush=True)
        time.sleep(60)
        """
    )
    outcome = run_group([program], ENV, 2)
    assert (outcome.returncode, outcome.timed_out) == (6, True)
    assert outcome.stdout == "ready\npartial\n"


def test_a_program_that_ignores_sigterm_is_killed_with_its_children(
    fake_python: FakePython, tmp_path: Path
) -> None:
    program = fake_python(
        f"""
        import os, signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen(["sleep", "60"])
        with open("{tmp_path}/pids", "w") as file:
            file.write(f"{{os.getpid()}} {{child.pid}}")
        time.sleep(60)
        """
    )
    outcome = run_group([program], ENV, 2, grace_s=0.3)
    assert (outcome.returncode, outcome.timed_out, outcome.unkillable) == (-9, True, False)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2
    assert all(ends(pid) for pid in pids)


def test_children_that_a_program_leaves_behind_are_killed(fake_python: FakePython) -> None:
    program = fake_python(
        """
        import subprocess
        print(subprocess.Popen(["sleep", "60"]).pid, flush=True)
        """
    )
    outcome = run_group([program], ENV, 30)
    assert (outcome.returncode, outcome.timed_out) == (0, False)
    assert outcome.wall_s < 20
    assert ends(int(outcome.stdout))


def test_a_child_that_left_the_group_does_not_hold_us_up(fake_python: FakePython) -> None:
    """It keeps the pipe open; its output is not waited for."""
    program = fake_python(
        """
        import subprocess
        print(subprocess.Popen(["sleep", "20"], start_new_session=True).pid, flush=True)
        """
    )
    outcome = run_group([program], ENV, 30)
    escaped = int(outcome.stdout)
    os.kill(escaped, 9)
    assert outcome.wall_s < 15


def test_a_program_that_closes_its_output_is_still_waited_for(fake_python: FakePython) -> None:
    program = fake_python("import os, time; os.close(1); os.close(2); time.sleep(0.5)")
    outcome = run_group([program], ENV, 30)
    assert outcome.returncode == 0
    assert outcome.wall_s >= 0.5


def test_endless_output_neither_blocks_nor_fills_memory(
    fake_python: FakePython, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "STDOUT_LIMIT", 1000)
    program = fake_python(
        """
        import sys
        for n in range(20000):
            print("x" * 50)
            print("line", n, file=sys.stderr)
        """
    )
    outcome = run_group([program], ENV, 60)
    assert outcome.returncode == 0
    assert len(outcome.stdout) == 1000
    lines = outcome.stderr_tail.splitlines()
    assert len(lines) == process.TAIL_LINES
    assert lines[-1] == "line 19999"


def test_a_crash_by_signal(fake_python: FakePython) -> None:
    program = fake_python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert run_group([program], ENV, 30).returncode == -11


@pytest.mark.parametrize("mode", [None, 0o644])
def test_an_interpreter_that_does_not_start(tmp_path: Path, mode: int | None) -> None:
    program = tmp_path / "python"
    if mode is not None:
        program.write_text("#!/bin/sh\n")
        program.chmod(mode)
    outcome = run_group([str(program)], ENV, 30)
    assert outcome.returncode is None
    assert str(program) in outcome.start_error


def test_the_environment_is_a_short_list() -> None:
    login = {
        "PATH": "/usr/bin",
        "HOME": "/root",
        "PYTHONPATH": "/home/me",
        "LD_PRELOAD": "x.so",
        "OMP_NUM_THREADS": "64",
    }
    assert restricted_environment(login, None) == {
        "PATH": "/usr/bin",
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
    }
    assert restricted_environment(login, 2)["OMP_NUM_THREADS"] == "2"


@pytest.mark.parametrize(
    ("vmstat", "expected"),
    [("nr_free_pages 5\noom_kill 7\n", 7), ("nr_free_pages 5\n", None), ("oom_kill x\n", None)],
)
def test_the_counter_of_kills_for_memory(vmstat: str, expected: int | None) -> None:
    assert parse_oom_kills(vmstat) == expected
