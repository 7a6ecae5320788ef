"""The role base, seen by the node's own tools and by a person who logs in."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playbook_run import Play
from testinfra.host import Host


def login(host: Host, user: str, command: str) -> subprocess.CompletedProcess[str]:
    """Log in with the key that the scenario made for its people."""
    key = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "alice"
    return subprocess.run(
        [
            "ssh",
            "-F",
            host.backend.ssh_config,
            "-o",
            "ControlPath=none",
            "-o",
            "BatchMode=yes",
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "IdentityAgent=none",
            "-i",
            str(key),
            "-l",
            user,
            host.backend.get_hostname(),
            command,
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_every_machine_is_known_by_name(host: Host, declared: dict[str, Any]) -> None:
    for name, node in declared.items():
        for interface in node["node_interfaces"].values():
            zone = interface["zone"]
            label = name if zone == "management" else f"{name}-{zone}"
            for asked in (label, f"{label}.base.test"):
                answer = host.check_output(f"getent ahostsv4 {asked}").split()
                assert answer[0] == interface["address"]


def test_its_own_name_is_no_loopback(host: Host) -> None:
    name = host.check_output("hostname")
    assert name == host.backend.get_hostname()
    assert host.check_output("cat /etc/hostname") == name
    answers = host.check_output(f"getent ahosts {name}").splitlines()
    assert [answer for answer in answers if answer.startswith(("127.", "::1"))] == []


def test_time_zone(host: Host) -> None:
    assert host.check_output("timedatectl show --value --property Timezone") == "Asia/Kathmandu"
    assert host.check_output("date +%:z") == "+05:45"


def test_a_person_works_in_the_locale(host: Host) -> None:
    said = login(host, "alice", "echo $LANG; locale charmap; LC_ALL=$LANG date -d 2026-10-04 +%A")
    assert said.stdout.split() == ["de_DE.UTF-8", "UTF-8", "Sonntag"], said.stderr


def test_sudo_as_declared(host: Host) -> None:
    assert login(host, "alice", "sudo -n id -un").stdout == "root\n"
    refused = login(host, "bob", "sudo -n id -un")
    assert refused.returncode != 0
    assert "root" not in refused.stdout
    assert "not allowed" in host.check_output("env LC_ALL=C sudo -l -U bob")
    assert host.run("visudo --check --strict").succeeded


def test_people_have_no_password(host: Host) -> None:
    for user in ("alice", "bob"):
        assert host.check_output(f"passwd --status {user}").split()[1] == "L"


def test_groups(host: Host) -> None:
    assert "trainers" in host.user("alice").groups
    assert "trainers" not in host.user("bob").groups


def test_an_absent_person_is_gone_and_the_home_is_not(host: Host) -> None:
    assert not host.user("mallory").exists
    assert host.file("/home/mallory").is_directory
    assert host.user("carol").exists, "whom nobody declared is left alone"


def test_the_connecting_user_keeps_sudo(host: Host) -> None:
    assert "NOPASSWD: ALL" in host.check_output("sudo -l -U gpulab")


def test_the_connecting_user_has_a_key_more(host: Host) -> None:
    assert login(host, "gpulab", "sudo -n id -un").stdout == "root\n"
    file = host.file("/home/gpulab/.ssh/authorized_keys")
    assert (file.user, file.group, file.mode) == ("gpulab", "gpulab", 0o600)
    # The sandbox's own key, by which this test is here, is the first.
    first, *others = file.content_string.splitlines()
    assert first.startswith("ssh-")
    alice = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "alice.pub"
    assert others == [
        "# of the factory",
        "",
        "no-pty ssh-rsa AAAAB3factory== robot",
        alice.read_text().strip(),
    ]


def test_journal_is_limited(host: Host) -> None:
    text = host.check_output("systemd-analyze cat-config systemd/journald.conf")
    assert "SystemMaxUse=96M" in text.splitlines()
    # journald says which limit it took.
    assert "max 96.0M" in host.check_output("journalctl --quiet --unit systemd-journald")


def test_kernel_settings_stay_out_of_a_container(host: Host) -> None:
    lines = host.file("/etc/sysctl.d/60-gpulab.conf").content_string.splitlines()
    assert "# vm.swappiness = 37" in lines
    assert [line for line in lines if line and not line.startswith("#")] == []
    assert Path("/proc/sys/vm/swappiness").read_text().strip() != "37"


def test_upgrade_policy_as_apt_reads_it(host: Host) -> None:
    dump = host.check_output("apt-config dump").splitlines()
    assert 'Unattended-Upgrade::Automatic-Reboot "false";' in dump
    assert 'APT::Periodic::Unattended-Upgrade "1";' in dump
    origins = [line for line in dump if line.startswith("Unattended-Upgrade::Origins-Pattern::")]
    assert len(origins) == 1
    assert "Debian-Security" in origins[0]
    assert 'Unattended-Upgrade::Package-Blacklist:: "nvidia-.*";' in dump
    assert host.check_output("systemctl is-enabled apt-daily-upgrade.timer") == "enabled"


@pytest.mark.on("node01")
def test_a_user_without_a_key_is_refused(host: Host, apply: Play) -> None:
    run = apply("base", lab_users=[{"name": "eve", "ssh_keys": []}])
    assert run.returncode != 0
    assert "lab_users[0] (eve).ssh_keys is empty" in " ".join(run.stdout.split())
    assert not host.user("eve").exists


@pytest.mark.on("node01")
def test_a_key_that_is_taken_away_no_longer_opens(host: Host, apply: Play) -> None:
    assert login(host, "bob", "true").returncode == 0
    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN2l2UhmgsLGQ2lRCbVX4mO1J4oHVnXyPNtAJlP8Fb0Q other"
    try:
        run = apply("base", lab_users=[{"name": "bob", "ssh_keys": [other]}])
        assert run.returncode == 0, run.stdout
        assert login(host, "bob", "true").returncode == 255
        assert login(host, "alice", "sudo -n true").returncode != 0, "no longer declared: no sudo"
    finally:
        assert apply("base").returncode == 0
