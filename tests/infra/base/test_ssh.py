"""The role ssh, seen from a client: who gets in, by what, and what the role refuses to do."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from playbook_run import PROJECT, Play
from testinfra.host import Host

TARGETS = ["node01"]

#: Give a login's end: ``login("-o", "Ciphers=aes256-ctr", user="carol")``.
Login = Callable[..., "subprocess.CompletedProcess[str]"]
DROP_IN = "/etc/ssh/sshd_config.d/00-gpulab.conf"


@pytest.fixture
def login(host: Host) -> Login:
    """Try a login over a fresh connection; further arguments go to ssh."""

    def attempt(*options: str, user: str = "gpulab") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                "ssh",
                "-F",
                host.backend.ssh_config,
                "-o",
                "ControlPath=none",
                "-o",
                "BatchMode=yes",
                *options,
                "-l",
                user,
                host.backend.get_hostname(),
                "id -un",
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    return attempt


def effective(host: Host) -> dict[str, str]:
    lines = host.check_output("sshd -T -C user=gpulab,host=x,addr=10.0.0.1").splitlines()
    return dict(line.split(" ", 1) for line in lines if " " in line)


def main_pid(host: Host) -> str:
    return str(host.check_output("systemctl show --property MainPID ssh"))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("permitrootlogin", "no"),
        ("passwordauthentication", "no"),
        ("kbdinteractiveauthentication", "no"),
        ("authenticationmethods", "publickey"),
        ("x11forwarding", "no"),
        ("allowtcpforwarding", "local"),
        ("allowagentforwarding", "no"),
        ("permituserenvironment", "no"),
        ("maxauthtries", "4"),
        ("logingracetime", "30"),
        ("loglevel", "VERBOSE"),
    ],
)
def test_the_drop_in_wins_over_a_cloud_images(host: Host, option: str, value: str) -> None:
    assert effective(host)[option] == value


def test_a_key_opens(login: Login) -> None:
    assert login().stdout == "gpulab\n"


def test_a_password_is_not_even_asked_for(login: Login) -> None:
    refused = login(
        "-o",
        "PubkeyAuthentication=no",
        "-o",
        "PreferredAuthentications=password,keyboard-interactive",
        user="carol",
    )
    assert refused.returncode == 255
    assert "Permission denied (publickey)." in refused.stderr


def test_root_is_refused_with_a_key_that_root_trusts(host: Host, login: Login) -> None:
    assert host.file("/root/.ssh/authorized_keys").size > 0
    refused = login(user="root")
    assert refused.returncode == 255
    assert "Permission denied" in refused.stderr


@pytest.mark.parametrize(
    "old",
    [
        "KexAlgorithms=diffie-hellman-group14-sha256",
        "KexAlgorithms=diffie-hellman-group-exchange-sha256",
        "KexAlgorithms=ecdh-sha2-nistp256",
        "Ciphers=chacha20-poly1305@openssh.com",
        "MACs=hmac-sha1",
        "HostKeyAlgorithms=ecdsa-sha2-nistp256",
    ],
)
def test_old_algorithms_are_refused(login: Login, old: str) -> None:
    # A MAC counts only beside a cipher without one of its own.
    refused = login("-o", "Ciphers=aes256-ctr", "-o", old) if "MACs" in old else login("-o", old)
    assert refused.returncode == 255
    assert "no matching" in refused.stderr


def test_ssh_audit_finds_no_failure(host: Host) -> None:
    address = subprocess.run(
        ["ssh", "-F", host.backend.ssh_config, "-G", host.backend.get_hostname()],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    target = dict(line.split(" ", 1) for line in address.splitlines() if " " in line)
    audit = subprocess.run(
        [
            str(Path(sys.executable).with_name("ssh-audit")),
            "--json",
            "--skip-rate-test",
            "--port",
            target["port"],
            target["hostname"],
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    found: dict[str, Any] = json.loads(audit.stdout)
    notes = {
        level: [
            f"{entry['algorithm']}: {note}"
            for kind in ("kex", "key", "enc", "mac")
            for entry in found[kind]
            for note in entry.get("notes", {}).get(level, [])
        ]
        for level in ("fail", "warn")
    }
    assert len(found["kex"]) >= 2
    assert notes["fail"] == []
    # curve25519 stays for clients without a post-quantum exchange; nothing else is warned of.
    assert [note for note in notes["warn"] if not note.startswith("curve25519-sha256")] == []


def test_host_keys_are_the_old_ones(host: Host) -> None:
    assert host.run("sha256sum --check --quiet /root/host_keys.sha256").succeeded


def test_nonsense_leaves_file_and_daemon_alone(host: Host, apply: Play, login: Login) -> None:
    before = (host.file(DROP_IN).sha256sum, main_pid(host))
    run = apply("ssh", ssh_extra_options={"NoSuchOption": "yes"})
    assert run.returncode != 0
    assert "Bad configuration option: NoSuchOption" in run.stdout
    assert "nothing was changed" in run.stdout
    assert (host.file(DROP_IN).sha256sum, main_pid(host)) == before
    assert login().returncode == 0


@pytest.mark.parametrize(
    ("variables", "reasons"),
    [
        (
            {"ssh_allow_users": ["carol"], "ssh_allow_groups": ["nobody-is-in-it"]},
            ["gpulab is not in ssh_allow_users", "gpulab is in none of ssh_allow_groups"],
        ),
        ({"__ssh_user": "carol"}, ["carol has no key"]),
    ],
)
def test_a_lockout_is_refused(
    host: Host, apply: Play, variables: dict[str, Any], reasons: list[str]
) -> None:
    before = host.file(DROP_IN).sha256sum
    run = apply("ssh", **variables)
    assert run.returncode != 0
    assert [reason for reason in reasons if reason not in run.said] == []
    assert host.file(DROP_IN).sha256sum == before


def test_a_change_reloads_and_keeps_the_daemon(host: Host, apply: Play) -> None:
    before = main_pid(host)
    try:
        run = apply("ssh", ssh_max_auth_tries=7)
        assert run.returncode == 0, run.stdout
        assert effective(host)["maxauthtries"] == "7"
        assert main_pid(host) == before
    finally:
        assert apply("ssh").returncode == 0


def test_a_drop_in_that_overrides_ours_is_found(host: Host, apply: Play) -> None:
    earlier = "/etc/ssh/sshd_config.d/00-aaa.conf"
    host.check_output(f"sh -c 'echo PasswordAuthentication yes > {earlier}'")
    try:
        run = apply("ssh")
        assert run.returncode != 0
        assert "overrides passwordauthentication" in " ".join(run.stdout.split())
    finally:
        host.check_output(f"rm {earlier}")


# What cuts off whoever makes the change: each time the node goes back by itself, and says why.


@pytest.fixture(scope="module")
def strangers_keys(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options that offer five keys that nobody trusts, before the right one."""
    folder = tmp_path_factory.mktemp("keys")
    for number in range(5):
        file = str(folder / f"k{number}")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
    return [word for number in range(5) for word in ("-i", str(folder / f"k{number}"))]


def test_more_keys_than_the_server_tries_bring_the_former_state_back(
    host: Host, apply: Play, strangers_keys: list[str]
) -> None:
    config = f"-F {shlex.quote(host.backend.ssh_config)}"
    many = f"{' '.join(strangers_keys)} {config}"
    try:
        assert apply("ssh", ssh_max_auth_tries=10).returncode == 0
        before = (host.file(DROP_IN).sha256sum, main_pid(host))
        run = apply("ssh", ssh_max_auth_tries=4, ansible_ssh_common_args=many)
        assert run.returncode != 0
        assert "the former state is back" in run.said
        assert "Too many authentication failures" in run.said
        assert "raise it above what `ssh-add -l` lists" in run.said
        assert (host.file(DROP_IN).sha256sum, main_pid(host)) == before
        assert effective(host)["maxauthtries"] == "10"
    finally:
        assert apply("ssh").returncode == 0


def test_a_controller_that_knows_another_host_key_brings_the_former_state_back(
    host: Host, apply: Play, tmp_path: Path
) -> None:
    ecdsa = "ecdsa-sha2-nistp256"
    algorithms = yaml.safe_load((PROJECT / "roles/ssh/defaults/main.yml").read_text())
    kept = {**algorithms["ssh_algorithms"], "hostkeyalgorithms": [ecdsa]}
    key = "/etc/ssh/ssh_host_ecdsa_key"
    host.check_output(f"sh -c 'test -e {key} || ssh-keygen -q -t ecdsa -N \"\" -f {key}'")
    known = tmp_path / "known_hosts"
    known.write_text(f"node {' '.join(host.check_output(f'cat {key}.pub').split()[:2])}\n")
    only = (
        f"-o UserKnownHostsFile={known} -o HostKeyAlias=node -o StrictHostKeyChecking=yes "
        f"-F {shlex.quote(host.backend.ssh_config)}"
    )
    extra = {"HostKey": key}
    try:
        # The last run over the key that the sandbox knows, and from then on only over the other.
        both = {**kept, "hostkeyalgorithms": ["ssh-ed25519", ecdsa]}
        run = apply("ssh", ssh_algorithms=both, ssh_extra_options=extra)
        assert run.returncode == 0, run.stdout
        before = host.file(DROP_IN).sha256sum
        run = apply("ssh", ansible_ssh_common_args=only)
        assert run.returncode != 0
        assert "the former state is back" in run.said
        assert "the controller knows another host key" in run.said
        assert host.file(DROP_IN).sha256sum == before
    finally:
        assert apply("ssh").returncode == 0


def test_a_port_that_ansible_does_not_use_brings_the_former_one_back(
    host: Host, apply: Play
) -> None:
    run = apply("ssh", ssh_ports=[2222])
    assert run.returncode != 0
    assert "the former state is back" in run.said
    assert "keep its port (ansible_port) in ssh_ports" in run.said
    assert effective(host)["port"] == "22"
    assert "rolled_back" in host.run("gpulab-rollback status").stdout


def test_a_port_is_moved_in_three_runs(apply: Play) -> None:
    try:
        assert apply("ssh", ssh_ports=[22, 2222]).returncode == 0
        assert apply("ssh", ssh_ports=[2222], ansible_port=2222).returncode == 0
    finally:
        assert apply("ssh", ssh_ports=[22, 2222], ansible_port=2222).returncode == 0
        assert apply("ssh").returncode == 0


def test_the_folder_that_sshd_needs_is_made_where_it_is_missing(
    host: Host, apply: Play, login: Login, tmp_path: Path
) -> None:
    """Nobody gets in any more over a new connection, and Ansible has one that is open."""
    way = tmp_path / "way"
    options = ["-F", host.backend.ssh_config, "-o", "ControlMaster=yes", "-o", f"ControlPath={way}"]
    # Its ends are closed: what stays in the background would hold them.
    opened = subprocess.run(
        ["ssh", *options, "-fN", host.backend.get_hostname()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        timeout=30,
    )
    assert opened.returncode == 0
    host.check_output("rmdir /run/sshd")
    run = apply("ssh", ansible_control_path=str(way))
    assert run.returncode == 0, run.stdout
    assert host.file("/run/sshd").is_directory
    assert login().returncode == 0


def test_a_change_with_nothing_to_do_asks_for_no_confirmation(apply: Play) -> None:
    assert apply("ssh").returncode == 0
    run = apply("ssh")
    assert run.returncode == 0
    assert "Confirm the change" not in run.said
