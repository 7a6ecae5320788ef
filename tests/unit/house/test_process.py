"""Where a program runs, what it reads, and what ends with it.

Programs that hang, breed and babble are in tests/unit/bench/test_benchmark_process.py.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.module_utils import process
from ansible_collections.gpulab.core.plugins.module_utils.process import Group, run

ENV = {"PATH": os.environ["PATH"]}
everywhere = pytest.mark.parametrize("group", Group, ids=lambda group: group.name)


def runs(pid: int) -> bool:
    """Whether a process runs; one that is dead but not yet reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("group", "own_group", "own_session"),
    [
        (Group.OWN_SESSION, True, True),
        (Group.OWN_GROUP, True, False),
        (Group.CALLERS, False, False),
    ],
)
def test_its_group_and_session(group: Group, own_group: bool, own_session: bool) -> None:
    said = run(["sh", "-c", "ps -o pid=,pgid=,sid= -p $$"], ENV, 30, group=group).stdout
    pid, pgid, sid = map(int, said.split())
    assert pgid == (pid if own_group else os.getpgrp())
    assert sid == (pid if own_session else os.getsid(0))


@everywhere
def test_what_it_reads_may_be_longer_than_a_pipe(group: Group) -> None:
    outcome = run(["wc", "-c"], ENV, 30, stdin=b"x" * 300_000, group=group)
    assert outcome.stdout.strip() == "300000"


@everywhere
def test_without_input_there_is_none(group: Group) -> None:
    assert run(["cat"], ENV, 30, group=group).stdout == ""


@everywhere
def test_it_is_ended_when_its_time_is_up(group: Group) -> None:
    outcome = run(["sleep", "60"], ENV, 0.2, group=group)
    assert (outcome.returncode, outcome.timed_out) == (-signal.SIGTERM, True)
    assert outcome.wall_s < 30


@everywhere
def test_who_ignores_that_is_killed(group: Group) -> None:
    deaf = ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"]
    outcome = run(deaf, ENV, 0.3, grace_s=0.3, group=group)
    assert (outcome.returncode, outcome.timed_out) == (-signal.SIGKILL, True)


@pytest.mark.parametrize(
    ("group", "stays"), [(Group.OWN_SESSION, False), (Group.OWN_GROUP, True), (Group.CALLERS, True)]
)
def test_what_it_leaves_running(group: Group, stays: bool) -> None:
    said = run(["sh", "-c", "sleep 60 >/dev/null 2>&1 & echo $!"], ENV, 30, group=group).stdout
    child = int(said)
    try:
        deadline = time.monotonic() + 5
        while runs(child) is not stays and time.monotonic() < deadline:
            time.sleep(0.02)
        assert runs(child) is stays
    finally:
        if stays:
            os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize(("keep_all", "kept"), [(False, 1000), (True, 300_000)])
def test_long_output_is_cut_unless_all_is_wanted(
    monkeypatch: pytest.MonkeyPatch, keep_all: bool, kept: int
) -> None:
    monkeypatch.setattr(process, "STDOUT_LIMIT", 1000)
    text = b"0123456789" * 30_000
    said = run(["cat"], ENV, 30, stdin=text, keep_all=keep_all).stdout
    assert said == text.decode()[:kept]


def test_its_end_is_seen_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pipes close a moment before it is gone: that moment is not a whole pause long."""
    monkeypatch.setattr(process, "_POLL_S", 20.0)
    assert max(run(["true"], ENV, 60).wall_s for _ in range(10)) < 10


def test_time_may_be_without_end() -> None:
    assert run(["true"], ENV, float("inf")).returncode == 0


@everywhere
def test_a_program_that_is_not_there(group: Group) -> None:
    outcome = run(["no-such-program"], ENV, 30, group=group)
    assert outcome.returncode is None
    assert outcome.start_error == "no-such-program: No such file or directory"
