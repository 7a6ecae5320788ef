"""A probe that hangs, dies or is faulty costs its own section and nothing else."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.hardware.runner import (
    Outcome,
    Probe,
    run_probes,
)
from ansible_collections.gpulab.core.plugins.module_utils.hardware.sysfs import ProbeError


def refuse() -> None:
    raise ProbeError("no such thing")


def break_down() -> None:
    raise KeyError("oops")


def open_files() -> list[str]:
    """The files that this process has open; the listing's own is gone when it is looked at."""
    numbers = list(Path("/proc/self/fd").iterdir())
    return sorted(str(entry.readlink()) for entry in numbers if entry.is_symlink())


def outcome(read: Callable[[], Any], deadline_s: float = 5.0) -> Outcome:
    return run_probes({"it": Probe(read, deadline_s)})["it"]


def test_a_value_comes_back() -> None:
    done = outcome(lambda: {"cores": 16, "list": [1, None]})
    assert (done.ok, done.reason) == (True, "")
    assert done.value == {"cores": 16, "list": [1, None]}


def test_a_value_larger_than_a_pipe_comes_back() -> None:
    assert len(outcome(lambda: "x" * 1_000_000).value) == 1_000_000


def test_a_hung_probe_is_unknown_within_its_deadline_and_holds_up_no_other() -> None:
    started = time.monotonic()
    done = run_probes({"hung": Probe(lambda: time.sleep(60), 0.3), "fine": Probe(lambda: 1, 5.0)})
    assert time.monotonic() - started < 2
    assert (done["hung"].ok, done["hung"].value) == (False, None)
    assert done["hung"].reason == "no answer within 0.3 s"
    assert (done["fine"].ok, done["fine"].value) == (True, 1)
    assert done["fine"].seconds < 0.3


def test_probes_run_side_by_side() -> None:
    started = time.monotonic()
    run_probes({str(n): Probe(lambda: time.sleep(0.4), 5.0) for n in range(5)})
    assert time.monotonic() - started < 1.5


def test_giving_up_ends_the_tools_that_the_probe_started(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    def start_a_tool() -> None:
        subprocess.run(["sh", "-c", f"echo $$ > {pid_file}; exec sleep 60"], check=False)

    outcome(start_a_tool, 0.5)
    pid = int(pid_file.read_text())
    for _ in range(100):
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.02)
    pytest.fail("the tool still runs")


def test_a_probe_holds_none_of_our_files(tmp_path: Path) -> None:
    with (tmp_path / "open").open("w") as ours:
        os.set_inheritable(ours.fileno(), True)
        targets = outcome(open_files).value
    assert not [target for target in targets if target.startswith(str(tmp_path))]
    assert "/dev/null" in targets


@pytest.mark.parametrize(
    ("read", "reason"),
    [
        (refuse, "no such thing"),
        (break_down, "the probe is faulty: KeyError: 'oops'"),
        (lambda: os._exit(3), "the probe died without an answer"),
        (lambda: {1, 2}, "the probe is faulty: TypeError"),
    ],
)
def test_a_failed_probe_says_why(read: Callable[[], Any], reason: str) -> None:
    done = outcome(read)
    assert (done.ok, done.value) == (False, None)
    assert done.reason.startswith(reason)
