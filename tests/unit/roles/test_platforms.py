"""The files that the roles base, ssh and time write on platforms that can't run here."""

from __future__ import annotations

import configparser
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.ansible

HERE = Path(__file__).parent
PROJECT = HERE.parents[2]
PLATFORMS = ("el9", "el9fips", "stream10", "ubuntu2204", "ubuntu2404", "debian13")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], str]:
    """Render everything once, by Ansible itself; gives the text of (platform, file)."""
    out = tmp_path_factory.mktemp("rendered")
    # As -e x=false gives the first, and an unquoted no of YAML the second.
    given = {"ssh_x11_forwarding": "false", "ssh_allow_tcp_forwarding": False}
    given |= {"out": str(out), "roles_dir": str(PROJECT / "roles")}
    run = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            f"--inventory={HERE / 'render_inventory.yml'}",
            f"--extra-vars={json.dumps(given)}",
            str(HERE / "render.yml"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env={**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return lambda platform, name: (out / f"{platform}.{name}").read_text()


@pytest.fixture(scope="module")
def names(rendered: Callable[[str, str], str]) -> Callable[[str], dict[str, Any]]:
    """Give the names that a platform's vars lead to."""

    def read(platform: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(rendered(platform, "names"))
        return found

    return read


Rendered = Callable[[str, str], str]
Names = Callable[[str], dict[str, Any]]


def options(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            option, _, value = line.partition(" ")
            found.setdefault(option, []).append(value)
    return found


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_sshd_closes_the_same_doors(rendered: Rendered, platform: str) -> None:
    sshd = options(rendered(platform, "sshd"))
    for option in ("PermitRootLogin", "PasswordAuthentication", "KbdInteractiveAuthentication"):
        assert sshd[option] == ["no"]
    assert sshd["AuthenticationMethods"] == ["publickey"]
    assert all(len(values) == 1 for option, values in sshd.items() if option != "HostKey")


def test_options_that_are_false_in_another_way_are_false(rendered: Rendered) -> None:
    sshd = options(rendered("debian13", "sshd"))
    assert sshd["X11Forwarding"] == ["no"]
    assert sshd["AllowTcpForwarding"] == ["no"]


def test_el_narrows_the_crypto_policy_and_never_widens_it(rendered: Rendered) -> None:
    sshd = options(rendered("el9", "sshd"))
    assert sshd["KexAlgorithms"] == ["curve25519-sha256"]
    assert sshd["MACs"] == ["hmac-sha2-256-etm@openssh.com"]
    assert sshd["HostKeyAlgorithms"] == ["ssh-ed25519,rsa-sha2-512"]
    assert sshd["GSSAPIAuthentication"] == ["no"]
    assert "within the crypto policy" in rendered("el9", "sshd")


def test_el_in_fips_mode_keeps_what_the_policy_has(rendered: Rendered) -> None:
    sshd = options(rendered("el9fips", "sshd"))
    assert sshd["KexAlgorithms"] == ["ecdh-sha2-nistp256"]
    assert sshd["HostKeyAlgorithms"] == ["rsa-sha2-512,rsa-sha2-256"]
    assert sshd["HostKey"] == ["/etc/ssh/ssh_host_rsa_key"]


def test_a_short_rsa_key_is_not_offered(rendered: Rendered) -> None:
    assert options(rendered("ubuntu2204", "sshd"))["HostKey"] == ["/etc/ssh/ssh_host_ed25519_key"]
    assert options(rendered("ubuntu2404", "sshd"))["HostKey"] == [
        "/etc/ssh/ssh_host_ed25519_key",
        "/etc/ssh/ssh_host_rsa_key",
    ]


def test_debian_knows_no_gssapi_line(rendered: Rendered) -> None:
    assert "GSSAPIAuthentication" not in options(rendered("debian13", "sshd"))


@pytest.mark.parametrize(
    ("platform", "kind", "apply"),
    [("el9", "security", "yes"), ("el9fips", "default", "yes"), ("stream10", "default", "no")],
)
def test_dnf_automatic(rendered: Rendered, platform: str, kind: str, apply: str) -> None:
    config = configparser.ConfigParser()
    config.read_string(rendered(platform, "upgrades"))
    assert config["commands"]["upgrade_type"] == kind
    assert config["commands"]["apply_updates"] == apply
    assert config["commands"]["reboot"] == "never"
    assert config["base"]["excludepkgs"] == "nvidia-*"


@pytest.mark.parametrize(
    ("platform", "origins"),
    [
        ("ubuntu2204", ["${distro_codename}-security", "apps-security", "infra-security"]),
        (
            "ubuntu2404",
            ["{distro_codename}", "-security", "-updates", "apps-security", "infra-security"],
        ),
        ("debian13", ["Debian-Security"]),
    ],
)
def test_unattended_upgrades(rendered: Rendered, platform: str, origins: list[str]) -> None:
    text = rendered(platform, "upgrades")
    found = [line.strip() for line in text.splitlines() if "origin=" in line]
    assert len(found) == len(origins)
    assert all(line.endswith(f'{end}";') for line, end in zip(found, origins, strict=True))
    assert 'Automatic-Reboot "false"' in text
    assert '"nvidia-*";' in text


def test_packages(names: Names) -> None:
    assert {"iproute", "procps-ng", "glibc-langpack-de", "dnf-automatic"} <= set(
        names("el9")["packages"]
    )
    assert "dnf-automatic" not in names("stream10")["packages"], "base_upgrades: none"
    assert {"iproute2", "procps", "locales", "unattended-upgrades"} <= set(
        names("ubuntu2404")["packages"]
    )


def test_names(names: Names) -> None:
    assert names("el9")["ssh_service"] == "sshd"
    assert names("ubuntu2404")["ssh_service"] == "ssh"
    assert names("el9")["time_config"] == "/etc/chrony.conf"
    assert names("ubuntu2404")["time_config"] == "/etc/chrony/chrony.conf"
    assert names("el9")["locale_files"] == []
    assert names("ubuntu2404")["locale_files"] == ["/etc/timezone", "/etc/locale.gen"]
    assert names("debian13")["locale_files"] == ["/etc/timezone"], "C.UTF-8 is built in"


def test_only_a_container_keeps_off_the_clock(names: Names, rendered: Rendered) -> None:
    assert names("el9")["time_files"] == ["/etc/chrony.conf"]
    assert names("stream10")["time_files"] == [
        "/etc/chrony.conf",
        "/etc/sysconfig/chronyd",
        "/etc/systemd/system/chronyd.service.d/50-gpulab-container.conf",
    ]
    assert "rtcsync" in rendered("el9", "chrony").splitlines()
    assert "rtcsync" not in rendered("stream10", "chrony").splitlines()


def test_the_head_serves_and_the_others_follow(rendered: Rendered) -> None:
    head = rendered("el9", "chrony").splitlines()
    assert "server ptbtime1.ptb.de iburst" in head
    assert "local stratum 10" in head
    assert [line for line in head if line.startswith("allow")] == [
        "allow 10.0.0.0/24",
        "allow 10.3.0.0/24",
        "allow fd00::/64",
    ]
    follower = rendered("ubuntu2404", "chrony").splitlines()
    assert [line for line in follower if line.startswith(("server", "allow", "local"))] == [
        "server 10.0.0.1 iburst prefer minpoll 4 maxpoll 8"
    ]


def test_kernel_settings_only_on_real_kernels(rendered: Rendered) -> None:
    assert "vm.swappiness = 10" in rendered("el9", "sysctl").splitlines()
    inside = rendered("stream10", "sysctl").splitlines()
    assert "# vm.swappiness = 10" in inside
    assert [line for line in inside if line and not line.startswith("#")] == []


@pytest.mark.parametrize("platform", PLATFORMS)
def test_sudoers(rendered: Rendered, platform: str) -> None:
    rules = [line for line in rendered(platform, "sudoers").splitlines() if line[:1] != "#"]
    assert rules == ["alice ALL=(ALL:ALL) NOPASSWD: ALL"]
