"""The roles base, ssh and time on simulations of Ubuntu and EL, seen by the nodes' own tools."""

from __future__ import annotations

import csv

import pytest
from testinfra.host import Host

UBUNTU = ("ubuntu2204", "ubuntu2404")
EL = ("rocky9", "centos10")
CODENAMES = {"ubuntu2204": "jammy", "ubuntu2404": "noble"}


def is_el(host: Host) -> bool:
    return host.backend.get_hostname() in EL


def test_only_stubs_answer(host: Host) -> None:
    if is_el(host):
        said = host.check_output("dnf --quiet repolist --enabled --verbose")
        sources = [line for line in said.splitlines() if "baseurl" in line]
    else:
        sources = host.check_output("apt-get indextargets --format '$(REPO_URI)'").splitlines()
    assert sources
    assert [
        s for s in sources if "/srv/gpulab-stubs" not in s and "//127.0.0.1:8000" not in s
    ] == []


@pytest.mark.on(*UBUNTU)
def test_the_names_of_ubuntu_are_installed(host: Host) -> None:
    for name in ("chrony", "ethtool", "locales", "lsof", "smartmontools", "unattended-upgrades"):
        assert host.package(name).is_installed, name


@pytest.mark.on(*EL)
def test_the_names_of_el_are_installed(host: Host) -> None:
    names = "chrony ethtool lsof iproute procps-ng smartmontools dnf-automatic"
    assert host.run(f"rpm --query {names}").succeeded


@pytest.mark.on(*EL)
def test_installed_rpms_are_signed(host: Host) -> None:
    said = host.check_output("rpm --query --all --queryformat '%{NAME} %{RSAHEADER:pgpsig}\\n'")
    unsigned = [line.split()[0] for line in said.splitlines() if "Key ID" not in line]
    # rpm's own entries for imported keys.
    assert set(unsigned) <= {"gpg-pubkey"}


@pytest.mark.on(*UBUNTU)
def test_ubuntus_security_updates_install_themselves_and_a_vendors_do_not(host: Host) -> None:
    said = host.check_output("unattended-upgrade --dry-run --verbose 2>&1")
    codename = CODENAMES[host.backend.get_hostname()]
    assert f"origin=Ubuntu,archive={codename}-security" in said
    upgraded = next(line for line in said.splitlines() if "Packages that will be upgraded" in line)
    assert "gpulab-canary" in upgraded
    # The archive has 1, which is installed; security 2; NVIDIA's repository 3.
    policy = host.check_output("apt-cache policy gpulab-canary")
    assert "Installed: 1\n" in policy
    assert "Candidate: 3\n" in policy
    assert (
        "gpulab-canary_2_" in said or "gpulab-canary (2" in said or "gpulab-canary_3_" not in said
    )


@pytest.mark.on(*EL)
def test_nightly_updates_of_el(host: Host) -> None:
    text = host.file("/etc/dnf/automatic.conf").content_string
    assert "upgrade_type = security" in text
    assert "reboot = never" in text
    assert "excludepkgs = nvidia-.*" in text
    assert host.service("dnf-automatic.timer").is_enabled
    # dnf's own parser takes it.
    read = (
        "from dnf.automatic.main import AutomaticConfig as C; "
        "c = C('/etc/dnf/automatic.conf'); "
        "print(c.commands.upgrade_type, c.commands.apply_updates)"
    )
    assert host.check_output(f'python3 -c "{read}"').split()[0] == "security"


@pytest.mark.on(*EL)
def test_the_crypto_policy_is_narrowed_and_not_widened(host: Host) -> None:
    said = dict(
        line.split(" ", 1) for line in host.check_output("sshd -T").splitlines() if " " in line
    )
    policy = host.file("/etc/crypto-policies/back-ends/opensshserver.config").content_string
    allowed = dict(line.split(" ", 1) for line in policy.splitlines())
    for option in ("Ciphers", "MACs", "KexAlgorithms", "HostKeyAlgorithms"):
        offered = set(said[option.lower()].split(","))
        assert offered
        assert offered <= set(allowed[option].split(","))
    # The curve that EL's policy lacks, and Debian's sshd has.
    assert "sntrup761" not in said["kexalgorithms"]
    assert said["gssapiauthentication"] == "no"


@pytest.mark.on(*EL)
def test_services_have_els_names(host: Host) -> None:
    for name in ("sshd", "chronyd"):
        assert host.service(name).is_enabled
        assert host.service(name).is_running
    assert not host.file("/etc/chrony/chrony.conf").exists
    assert "-x" in host.check_output("ps -o args= -C chronyd")


@pytest.mark.on("ubuntu2204", *EL)
def test_the_lab_has_one_time(host: Host) -> None:
    rows = list(csv.reader(host.check_output("chronyc -n -c sources").splitlines()))
    assert [row[0] + row[1] for row in rows] == ["^*"]
