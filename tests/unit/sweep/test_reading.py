"""The command that reads a node, run as a node's shell runs it, and what its answer amounts to."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpulab.core.plugins.plugin_utils.records import schema
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep import packed, reading
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep.bootstrap import MARK

# As an inventory has it: words of a command line.
PYTHON = shlex.quote(sys.executable)
LIMIT_S = 20.0
# What the command itself runs.
_TOOLS = ("cat", "sh")


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A folder in which a login begins, and another, `bin`, of all the programs that it finds."""
    (tmp_path / "home").mkdir()
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in _TOOLS:
        (programs / name).symlink_to(str(shutil.which(name)))
    put(programs / "id", "echo 1000")
    return tmp_path


def put(program: Path, script: str) -> None:
    program.write_text(f"#!{shutil.which('sh')}\n{script}\n")
    program.chmod(0o755)


def run(
    node: Path, python: str = PYTHON, *, become: bool = False, shell: str = "sh", sent: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the command as sshd does: in the login's shell, and that in its home."""
    return subprocess.run(
        [str(shutil.which(shell)), "-c", reading.command(python, become=become)],
        input=sent or reading.standard_input(LIMIT_S),
        cwd=node / "home",
        env={
            "PATH": str(node / "bin"),
            "HOME": str(node / "home"),
            "PYTHONPATH": str(node / "home"),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def answer(done: subprocess.CompletedProcess[str]) -> reading.Reading:
    assert (done.returncode, done.stderr) == (0, "")
    return reading.parse(done.stdout.splitlines())


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_every_shell_of_a_supported_server_reads(node: Path, shell: str) -> None:
    """``/bin/sh`` is dash on Debian and Ubuntu, bash on EL."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed here")
    hardware, as_root = answer(run(node, shell=shell))
    schema.check(hardware, "hardware")
    assert hardware["cpu"]["architecture"] == os.uname().machine
    assert hardware["kernel"]["release"] == os.uname().release
    assert as_root is (os.geteuid() == 0)


def test_no_container_is_started(node: Path) -> None:
    hardware, _ = answer(run(node))
    nothing = {"asked": False, "tried": False, "proved": [], "problems": []}
    assert hardware["gpu_container"] == nothing


def test_nothing_of_the_logins_folder_or_environment_is_run_and_nothing_is_left(node: Path) -> None:
    """Root runs it: a module of the login's own would be run by root."""
    (node / "home" / "json.py").write_text("raise SystemExit('run')\n")
    (node / "home" / "ansible_collections").mkdir()
    before = sorted(node.rglob("*"))
    answer(run(node))
    assert sorted(node.rglob("*")) == before


@pytest.mark.parametrize(
    ("id_says", "sudo", "by_sudo"),
    [
        ("0", "touch ran; exit 1", False),
        ("1000", 'touch ran; [ "$1" = -n ]; shift; exec "$@"', True),
        ("1000", "echo 'sudo: a password is required' >&2; exit 1", False),
        ("1000", None, False),
    ],
    ids=["root", "allowed", "refused", "no sudo"],
)
def test_root_reads_where_it_may(node: Path, id_says: str, sudo: str | None, by_sudo: bool) -> None:
    """A refused sudo has read nothing of the input, so the login reads all the same."""
    put(node / "bin" / "id", f"echo {id_says}")
    if sudo is not None:
        (node / "bin" / "touch").symlink_to(str(shutil.which("touch")))
        put(node / "bin" / "sudo", sudo)
    # Nothing is said of the refusal: pyinfra would ask the terminal for a password.
    hardware, _ = answer(run(node, become=True))
    assert hardware["kernel"]["release"]
    assert (node / "home" / "ran").exists() is by_sudo


@pytest.mark.parametrize("become", [True, False])
def test_without_python_the_input_is_taken_and_the_reason_said(node: Path, become: bool) -> None:
    done = run(node, "python3", become=become)
    assert done.returncode == 127
    assert "python3" in done.stderr
    assert "not found" in done.stderr
    with pytest.raises(reading.ReadingError, match="printed nothing"):
        reading.parse(done.stdout.splitlines())


def test_a_python_with_arguments_is_run_as_it_is_declared(node: Path) -> None:
    (node / "bin" / "env").symlink_to(str(shutil.which("env")))
    (node / "bin" / "my python").symlink_to(sys.executable)
    assert answer(run(node, "env 'my python'")).hardware


def test_a_python_that_is_too_old_says_so(node: Path) -> None:
    old = packed.bootstrap().replace("_OLDEST = 0x03090000", "_OLDEST = 0x0F090000")
    # As long as the one that is read.
    assert len(old) == len(packed.bootstrap())
    done = run(node, sent=f"{old}{packed.pack(1)}\n")
    with pytest.raises(reading.ReadingError, match=r"Python 3\.\d+\.\d+ is older than 3\.9"):
        reading.parse(done.stdout.splitlines())


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (packed.bootstrap(), "the reader failed on the node: "),
        (f"{packed.bootstrap()}{packed.pack(1)[:400]}\n", "the reader failed on the node: "),
        ("raise SystemExit()\n" + " " * 100_000, "printed nothing"),
    ],
    ids=["nothing", "a part", "another program"],
)
def test_what_was_not_sent_whole_is_no_answer(node: Path, sent: str, reason: str) -> None:
    done = run(node, sent=sent)
    with pytest.raises(reading.ReadingError, match=reason):
        reading.parse(done.stdout.splitlines())


def said(value: object) -> str:
    return MARK + json.dumps(value)


def test_what_a_login_prints_by_itself_does_not_matter() -> None:
    lines = ["Welcome to node01!", "", said({"root": True, "hardware": {"schema": 1}}), "bye"]
    assert reading.parse(lines) == ({"schema": 1}, True)


def test_a_login_that_is_not_root_says_so() -> None:
    assert reading.parse([said({"root": False, "hardware": {}})]).as_root is False


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "printed nothing"),
        (["", "  "], "printed nothing"),
        (["Welcome to node01!"], "something else: 'Welcome to node01!'"),
        ([said({"root": True, "hardware": {"schema": 1}})[:40]], "broke off"),
        ([said(["root"])], "broke off"),
        ([said({"root": True})], "no facts"),
        ([said({"root": True, "hardware": [1]})], "no facts"),
        ([said({"root": True, "error": "OSError: no"})], "failed on the node: OSError: no"),
    ],
)
def test_output_that_is_no_answer(lines: list[str], reason: str) -> None:
    with pytest.raises(reading.ReadingError, match=reason):
        reading.parse(lines)


@given(st.text(max_size=300))
def test_any_text_is_an_error_and_nothing_worse(noise: str) -> None:
    for text in (noise, MARK + noise):
        with pytest.raises(reading.ReadingError):
            reading.parse(text.splitlines())
