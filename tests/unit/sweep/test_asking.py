"""The nodes are asked by a process of its own, with what it needs on standard input."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.sweep import asking, targets


@pytest.fixture
def closed() -> Iterator[int]:
    """A port on which nobody listens."""
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        yield own.getsockname()[1]


def target(port: int, name: str = "node01") -> dict[str, Any]:
    described = targets.describe({"name": name, "groups": []}, {}, {"password": "secret"})
    ssh = {
        "hostname": "127.0.0.1",
        "port": port,
        "user": "nobody",
        "keys": [],
        "known_hosts": [],
        "agent": False,
        "proxy": "",
    }
    return {**described, "ssh": ssh}


def test_what_becomes_of_each_node_comes_back(closed: int) -> None:
    asked = [target(closed), target(closed, "node02")]
    answers = dict(asking.ask(asked, timeout_s=5, parallel=2))
    assert sorted(answers) == [0, 1]
    for answer in answers.values():
        assert (answer.hardware, answer.unreachable) == (None, True)
        assert answer.reason == f"127.0.0.1 port {closed}: Connection refused"


def test_without_a_node_nothing_comes_back() -> None:
    assert list(asking.ask([], timeout_s=5, parallel=2)) == []


def test_this_process_is_not_changed(closed: int) -> None:
    """Gevent replaces what waits; Ansible's processes must not have that."""
    list(asking.ask([target(closed)], timeout_s=5, parallel=1))
    assert socket.socket.__module__ == "socket"


def test_what_is_asked_is_on_no_command_line_and_in_no_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The process in its place keeps how it was called."""
    program = tmp_path / "spy.py"
    program.write_text(
        "import json, os, sys\n"
        "wish = json.load(sys.stdin)\n"
        "seen = ' '.join([*sys.orig_argv, *os.environ.values()])\n"
        "reason = wish['targets'][0]['password'] + str('secret' in seen)\n"
        "answer = dict(hardware=None, as_root=False, reason=reason, unreachable=False, seconds=1)\n"
        "print(json.dumps([0, answer]))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(asking, "_PROGRAM", "spy")
    ((_, answer),) = asking.ask([target(1)], timeout_s=5, parallel=1)
    assert answer.reason == "secretFalse"
    assert [path.name for path in tmp_path.iterdir() if path.name != "__pycache__"] == ["spy.py"]


def test_a_process_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_PROGRAM", "pyinfra_is_not_here")
    # More than fits into the pipe of a process that does not read.
    asked = [target(1)] * 1000
    with pytest.raises(asking.AskingError, match="No module named pyinfra_is_not_here"):
        list(asking.ask(asked, timeout_s=5, parallel=1))


def test_a_sweep_that_is_given_up_asks_nobody_any_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "endless.py"
    program.write_text(
        "import json, os, time\n"
        "answer = dict(hardware=None, as_root=False, reason=str(os.getpid()), unreachable=False)\n"
        "print(json.dumps([0, dict(answer, seconds=1)]), flush=True)\n"
        "time.sleep(600)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(asking, "_PROGRAM", "endless")
    answers = asking.ask([target(1)], timeout_s=5, parallel=1)
    _, answer = next(answers)
    answers.close()
    assert not Path(f"/proc/{answer.reason}").exists()


@pytest.mark.parametrize(
    ("timeout_s", "parallel", "named"),
    [
        (0, 1, "timeout_s is 0"),
        (601, 1, "timeout_s"),
        (5, 0, "parallel is 0"),
        (5, 1001, "parallel"),
    ],
)
def test_wrong_words_are_refused(timeout_s: float, parallel: int, named: str) -> None:
    with pytest.raises(asking.AskingError, match=named):
        asking.ask([], timeout_s=timeout_s, parallel=parallel)
