"""Two nodes that reach nothing but the lab had their GPU software through the head.

One with apt and one with dnf; a simulation but for apt-cacher-ng, apt, dnf and the signatures
(molecule/mirror/inventory/hosts.yml). Their packages were installed when the head was cut off too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
from testinfra.host import Host

NODES = ("ubuntu2404", "rocky9")
#: One package of each role, by what its file's name begins with: apt's, then dnf's.
ROLES = {
    "nvidia_driver": ("nvidia-open_580.95.05-", "nvidia-open-580.95.05-"),
    "nvidia_driver, modules": ("nvidia-dkms-580-open_580.", "kmod-nvidia-open-dkms-580."),
    "nvidia_driver, headers": ("linux-headers-generic_", "kernel-devel-"),
    "nvidia_driver, branch": ("nvidia-driver-pinning-580_", "python3-dnf-plugin-versionlock-"),
    "cuda": ("cuda-toolkit-13-0_", "cuda-toolkit-13-0-"),
    "cuda, compiler": ("g++_", "gcc-c++-"),
    "cuda, cudnn": ("libcudnn9-cuda-13_", "libcudnn9-cuda-13-"),
    "cuda, nccl": ("libnccl2_2.28.7-1+cuda13.0_", "libnccl-2.28.7-1+cuda13.0."),
    "nvidia_container": ("nvidia-container-toolkit_1.20.1-", "nvidia-container-toolkit-1.20.1-"),
    "dcgm": ("datacenter-gpu-manager-4-cuda13_", "datacenter-gpu-manager-4-cuda13-"),
}
#: Packages that the roles of GPU nodes bring, and what these depend on.
BROUGHT = "'*nvidia*' 'cuda*' '*cudnn*' '*nccl*' 'datacenter*' dkms"
#: The address of the simulated servers outside.
OUTSIDE = "198.51.100.1"
KEYS = ("3bf863cc.pub", "D42D0685.pub")


@pytest.mark.on(*NODES)
def test_a_node_reaches_nothing_but_the_lab(host: Host) -> None:
    assert host.check_output("ip route show default") == ""
    connect = "import socket; socket.create_connection((%r, 443), 3)"
    said = host.run(f'python3 -c "{connect % OUTSIDE}"')
    assert "Network is unreachable" in said.stderr


@pytest.mark.on("head01")
def test_neither_does_the_head_by_now(host: Host) -> None:
    assert host.check_output("ip route show default") == ""
    assert not host.service("gpulab-origin").is_running
    text = host.file("/etc/apt-cacher-ng/acng.conf").content_string
    assert "Offlinemode: 1" in text.splitlines()


@pytest.mark.on("head01")
@pytest.mark.parametrize("role", ROLES)
def test_the_manifest_lists_what_each_role_installs(
    manifest: list[dict[str, Any]], role: str
) -> None:
    for prefix in ROLES[role]:
        found = [entry for entry in manifest if entry["name"].startswith(prefix)]
        assert len(found) == 1, prefix
        assert re.fullmatch("[0-9a-f]{64}", found[0]["sha256"])
        assert found[0]["bytes"] > 0
        assert found[0]["uri"].startswith("http://")


@pytest.mark.on("head01")
def test_it_lists_every_package_that_came(
    manifest: list[dict[str, Any]], machine: Callable[[str], Host]
) -> None:
    names = {entry["name"] for entry in manifest}
    # A file's name has no epoch.
    said = machine("rocky9").check_output(
        "rpm --query --all --queryformat '%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm\\n' "
        f"{BROUGHT} kernel-devel gcc-c++ '*versionlock*'"
    )
    assert len(said.splitlines()) > 20
    assert set(said.splitlines()) <= names
    said = machine("ubuntu2404").check_output(
        "dpkg-query --show --showformat "
        "'${db:Status-Status} ${Package}_${Version}_${Architecture}.deb\\n' "
        f"{BROUGHT} 'linux-headers-*' g++"
    )
    came = {line.split()[1] for line in said.splitlines() if line.startswith("installed ")}
    assert len(came) > 20
    assert {name.replace(":", "%3a") for name in came} <= names


@pytest.mark.on("head01")
def test_every_package_came_from_outside_once_and_was_given_twice(
    manifest: list[dict[str, Any]], asked: Counter[str], served: Counter[str]
) -> None:
    """Given once to who fetches ahead, and once to the node that installs it."""
    files = [unquote(entry["uri"]).rsplit("/", 1)[-1] for entry in manifest]
    assert {name: asked[name] for name in files} == dict.fromkeys(files, 1)
    assert [name for name in files if served[name] < 2] == []


@pytest.mark.on("head01")
def test_nvidia_was_asked_by_https_alone_for_its_keys_too(host: Host) -> None:
    lines = host.check_output("journalctl --unit=gpulab-origin --output=cat").splitlines()
    vendors = [line for line in lines if "/compute/cuda/" in line or "/libnvidia-" in line]
    assert vendors
    assert {line.split()[0] for line in vendors} == {"443"}
    for key in KEYS:
        assert [line for line in vendors if key in line], key


@pytest.mark.on("head01")
def test_it_serves_the_lab_only(host: Host) -> None:
    address = host.interface("eth0").addresses[0]
    assert host.socket(f"tcp://{address}:3142").is_listening
    assert not host.socket("tcp://127.0.0.1:3142").is_listening


@pytest.mark.on("rocky9")
def test_dnf_checks_signatures_as_before(host: Host) -> None:
    said = host.check_output("rpm --query --all --queryformat '%{NAME} %{RSAHEADER:pgpsig}\\n'")
    unsigned = {line.split()[0] for line in said.splitlines() if "Key ID" not in line}
    assert unsigned <= {"gpg-pubkey"}
    assert "gpgcheck=0" not in host.check_output("cat /etc/dnf/dnf.conf /etc/yum.repos.d/*")


@pytest.mark.on("ubuntu2404")
def test_apt_checks_signatures_as_before(host: Host) -> None:
    sources = host.check_output("cat /etc/apt/sources.list.d/*.sources")
    assert sources.count("Signed-By: ") == sources.count("Types: ")
    assert "trusted" not in sources.lower()
