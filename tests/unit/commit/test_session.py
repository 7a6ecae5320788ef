"""Which SSH connection a process belongs to, read from trees like those of OpenSSH."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.commit import session

TICKS = os.sysconf("SC_CLK_TCK")
CONNECTION = b"HOME=/root\0SSH_CONNECTION=192.0.2.9 50522 192.0.2.1 2222\0"


def process(
    proc: Path, pid: int, name: str, parent: int, start: int, title: str, env: bytes = b""
) -> None:
    """Lay out a process as proc(5) has it, started so many seconds after the boot."""
    folder = proc / str(pid)
    folder.mkdir()
    rest = " ".join(["0"] * 17)
    (folder / "stat").write_text(f"{pid} ({name}) S {parent} {rest} {start * TICKS} 0 0\n")
    (folder / "cmdline").write_bytes(title.encode() + b"\0")
    (folder / "environ").write_bytes(env)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A module below sudo, of a user's session by OpenSSH 9.2 (Debian 12)."""
    process(tmp_path, 1, "systemd", 0, 0, "/sbin/init")
    process(tmp_path, 37, "sshd", 1, 5, "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups")
    process(tmp_path, 45, "sshd", 37, 100, "sshd: gpulab [priv]")
    process(tmp_path, 58, "sshd", 45, 101, "sshd: gpulab@notty")
    process(tmp_path, 60, "sh", 58, 300, "sh -c sudo", CONNECTION)
    process(tmp_path, 61, "sudo", 60, 300, "sudo -H")
    process(tmp_path, 62, "sh (odd) name", 61, 300, "sh")
    process(tmp_path, 63, "python3", 62, 301, "python3")
    return tmp_path


def test_the_connection_is_as_old_as_the_process_that_accepted_it(proc: Path) -> None:
    found = session.find(63, proc)
    assert found == session.Session(100.0, "192.0.2.9", "192.0.2.1", 2222)
    assert found.is_newer_than(99.9)
    assert not found.is_newer_than(100.1)


def test_openssh_since_9_8_has_another_name(tmp_path: Path) -> None:
    process(tmp_path, 37, "sshd", 1, 5, "sshd: /usr/sbin/sshd -D [listener]")
    process(tmp_path, 45, "sshd-session", 37, 200, "sshd-session: gpulab [priv]")
    process(tmp_path, 58, "sshd-session", 45, 201, "sshd-session: gpulab@notty")
    process(tmp_path, 63, "python3", 58, 301, "python3", CONNECTION)
    assert session.find(63, tmp_path) == session.Session(200.0, "192.0.2.9", "192.0.2.1", 2222)


def test_root_has_one_process_below_the_listener(tmp_path: Path) -> None:
    process(tmp_path, 37, "sshd", 1, 5, "sshd: /usr/sbin/sshd -D [listener]")
    process(tmp_path, 58, "sshd", 37, 250, "sshd: root@notty")
    process(tmp_path, 63, "python3", 58, 301, "python3", CONNECTION)
    found = session.find(63, tmp_path)
    assert found is not None
    assert found.started == 250.0


@pytest.mark.parametrize("parent", [0, 1, 999])
def test_a_process_of_nobody_has_none(tmp_path: Path, parent: int) -> None:
    process(tmp_path, 63, "python3", parent, 301, "python3")
    assert session.find(63, tmp_path) is None


def test_a_loop_ends(tmp_path: Path) -> None:
    process(tmp_path, 63, "python3", 64, 301, "python3")
    process(tmp_path, 64, "python3", 63, 301, "python3")
    assert session.find(63, tmp_path) is None


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        (b"SSH_CONNECTION=fe80::1%eth0 5 fe80::2%eth0 22\0", ("fe80::1", "fe80::2", 22)),
        (b"SSH_CONNECTION=::ffff:192.0.2.9 5 ::ffff:192.0.2.1 22", ("192.0.2.9", "192.0.2.1", 22)),
        (b"A=1\0B=2\0", ("", "", 0)),
        (b"SSH_CONNECTION=UNKNOWN 65535 UNKNOWN 65535\0", ("", "", 0)),
        (b"SSH_CONNECTION=192.0.2.9 5\0", ("", "", 0)),
        (b"", ("", "", 0)),
    ],
)
def test_parse(environ: bytes, found: tuple[str, str, int]) -> None:
    assert session.parse_connection(environ) == found
