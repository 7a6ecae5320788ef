"""Whole runs with something broken: the others finish, the message says what and what to do."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from .conftest import BASE, SSH, Lab, recap


@pytest.fixture
def powered(lab: Lab) -> Iterator[Lab]:
    """The lab, with every node back on afterwards."""
    yield lab
    lab.up()


def test_a_node_that_dies_in_mid_run_does_not_stop_the_others(powered: Lab) -> None:
    run = powered.playbook(*SSH, when={"TASK [ssh : ": lambda: powered.kill("node02")})
    assert run.status != 0
    assert recap(run.output, "node01")["failed"] == 0
    assert recap(run.output, "head01")["failed"] == 0
    assert recap(run.output, "node02")["unreachable"] == 1
    summary = run.output[run.output.rindex("PLAY RECAP") :]
    assert "node02" in summary
    assert "base" in summary
    assert "--limit node02" in summary


def test_a_node_that_is_down_from_the_start_is_named_and_the_others_go_on(powered: Lab) -> None:
    powered.kill("node02")
    run = powered.playbook(*SSH)
    assert run.status != 0
    assert recap(run.output, "node02")["unreachable"] == 1
    assert recap(run.output, "node01")["ok"] > 5
    run.line_with("node02", "power")


def test_a_held_apt_lock_is_waited_for(lab: Lab) -> None:
    released: list[float] = []
    ended: list[float] = []

    def release() -> None:
        lab.shell("node01", "systemctl stop gpulab-test-lock")
        released.append(time.monotonic())

    lab.shell(
        "node01",
        "systemd-run --unit gpulab-test-lock python3 -c 'import fcntl, time; "
        'f = open("/var/lib/dpkg/lock-frontend", "w"); fcntl.lockf(f, fcntl.LOCK_EX); '
        "time.sleep(3600)'",
    )
    # Released ten seconds after apt was asked, so that it has had to wait.
    asked = "TASK [base : Install the essential packages that are missing"
    timer = threading.Timer(10, release)
    run = lab.playbook(
        *(*BASE, "--limit", "node01"),
        *("-e", '{"base_packages": ["tree"]}'),
        when={
            asked: timer.start,
            "TASK [base : Write hosts, users' keys": lambda: ended.append(time.monotonic()),
        },
    )
    assert run.status == 0, run.output
    assert ended[0] > released[0]
    assert lab.shell("node01", "command -v tree").strip() == "/usr/bin/tree"


def test_too_little_space_is_found_before_anything_is_installed(lab: Lab) -> None:
    run = lab.playbook("site.yml", "--tags", "base", "-e", "preflight_var_gib_min=1000000")
    assert run.status != 0
    run.line_with("node01", "/var", "free")
    assert "TASK [base : " not in run.output


def test_a_disk_that_fills_in_mid_run_stops_that_node_alone(lab: Lab) -> None:
    lab.shell("node01", "mount -t tmpfs -o size=16k tmpfs /var/cache/apt")
    try:
        run = lab.playbook(*BASE, "--limit", "compute", "-e", '{"base_packages": ["sl"]}')
    finally:
        lab.shell("node01", "umount /var/cache/apt")
    assert run.status != 0
    assert recap(run.output, "node01")["failed"] == 1
    assert recap(run.output, "node02")["failed"] == 0
    run.line_with("node01", "space")


def test_a_changed_host_key_is_refused(lab: Lab) -> None:
    lab.shell(
        "node01",
        "cd /etc/ssh && mkdir /root/keys && mv ssh_host_* /root/keys && ssh-keygen -A"
        " && systemctl restart ssh",
    )
    try:
        # A new connection: the one that Ansible keeps open was checked before.
        run = lab.playbook(*SSH, "-e", "ansible_control_path=none", "-e", "ansible_ssh_args=")
    finally:
        lab.shell(
            "node01", "mv -f /root/keys/* /etc/ssh && rmdir /root/keys && systemctl restart ssh"
        )
    assert run.status != 0
    assert recap(run.output, "node01")["unreachable"] == 1
    assert recap(run.output, "node02")["failed"] == 0
    run.line_with("→", "ssh-keygen -R", "--limit node01")


def test_a_key_that_the_node_does_not_know_is_told_from_a_dead_node(lab: Lab) -> None:
    folder = "/home/gpulab/.ssh"
    lab.shell("node01", f"mv {folder}/authorized_keys {folder}/kept")
    try:
        run = lab.playbook(*SSH, "-e", "ansible_control_path=none", "-e", "ansible_ssh_args=")
    finally:
        lab.shell("node01", f"mv {folder}/kept {folder}/authorized_keys")
    assert run.status != 0
    run.line_with("→", "authorized_keys", "--limit node01")
