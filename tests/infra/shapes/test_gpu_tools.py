"""CUDA and DCGM on simulations of Ubuntu and EL: what the package managers' databases say.

The nodes have a fake PCI bus: an A100 (ubuntu2404), a V100 (ubuntu2204), an H100 (rocky9), no
GPU (centos10). All packages are stubs.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from testinfra.host import Host

Installed = Callable[[Host], dict[str, str]]
Held = Callable[[Host], set[str]]
UBUNTU = ("ubuntu2204", "ubuntu2404")
EL = ("rocky9", "centos10")
#: Node → the toolkits that its GPU can use.
TOOLKITS = {
    "ubuntu2204": ["12.9"],
    "ubuntu2404": ["12.9", "13.0"],
    "rocky9": ["12.9", "13.0"],
    "centos10": ["12.9", "13.0"],
}


def test_toolkits_by_the_gpu(host: Host, installed: Installed) -> None:
    name = host.backend.get_hostname()
    found = installed(host)
    wanted = {f"cuda-toolkit-{version.replace('.', '-')}" for version in TOOLKITS[name]}
    assert {package for package in found if package.startswith("cuda-toolkit-")} == wanted
    link = host.check_output("readlink -f /usr/local/cuda")
    assert link == f"/usr/local/cuda-{TOOLKITS[name][-1]}"


def test_libraries_are_of_the_default_toolkits_cuda(host: Host, installed: Installed) -> None:
    major = TOOLKITS[host.backend.get_hostname()][-1].split(".")[0]
    found = installed(host)
    assert f"cudnn9-cuda-{major}" in found
    names = [name for name in found if name.startswith("libnccl")]
    assert len(names) == 2
    assert all(f"+cuda{major}." in found[name] for name in names)
    assert f"datacenter-gpu-manager-4-cuda{major}" in found
    assert "datacenter-gpu-manager" not in found


def test_everything_is_held(host: Host, installed: Installed, held: Held) -> None:
    missing = set(installed(host)) - held(host)
    assert missing == set()


def test_dcgm_starts_at_boot(host: Host) -> None:
    assert host.service("nvidia-dcgm").is_enabled


@pytest.mark.on(*UBUNTU)
def test_apt_checks_nvidias_signature_by_its_own_key(host: Host) -> None:
    text = host.file("/etc/apt/sources.list.d/gpulab-nvidia.sources").content_string
    release = host.backend.get_hostname()
    assert f"URIs: http://127.0.0.1:8000/cuda/repos/{release}/x86_64/" in text.splitlines()
    assert "Signed-By: /etc/apt/keyrings/gpulab-nvidia.asc" in text.splitlines()
    assert "trusted" not in text.lower()
    # As bytes, after a second converge too: what is trusted already is written as it was.
    served = "/srv/gpulab-stubs/cuda/repos/{}/x86_64/{}"
    key = host.check_output(f"ls {served.format(release, '*.pub')}")
    assert host.run(f"cmp {key} /etc/apt/keyrings/gpulab-nvidia.asc").rc == 0


@pytest.mark.on(*EL)
def test_dnf_checks_nvidias_signature_by_its_own_key(host: Host) -> None:
    text = host.file("/etc/yum.repos.d/gpulab-nvidia.repo").content_string
    release = {"rocky9": "rhel9", "centos10": "rhel10"}[host.backend.get_hostname()]
    assert f"baseurl=http://127.0.0.1:8000/cuda/repos/{release}/x86_64" in text.splitlines()
    assert "gpgcheck=1" in text.splitlines()
    # The key's name differs from release to release, and the stub has only the release's.
    key = {"rocky9": "D42D0685.pub", "centos10": "CDF6BA43.pub"}[host.backend.get_hostname()]
    served = f"/srv/gpulab-stubs/cuda/repos/{release}/x86_64/{key}"
    fingerprint = "gpg --show-keys --with-colons {} | grep ^fpr"
    trusted = "/etc/pki/rpm-gpg/RPM-GPG-KEY-gpulab-nvidia"
    assert host.check_output(fingerprint.format(trusted)) == host.check_output(
        fingerprint.format(served)
    )
    assert host.run(f"cmp {served} {trusted}").rc == 0


@pytest.mark.on("ubuntu2404", "centos10")
def test_an_upgrade_leaves_held_packages_where_they_are(host: Host) -> None:
    if host.backend.get_hostname() in EL:
        plan = host.run("dnf --assumeno upgrade").stdout
    else:
        plan = host.check_output("apt-get --simulate dist-upgrade | grep ^Inst")
    # There are newer ones of both in the repository, and only one is not held.
    assert "gpulab-canary" in plan
    assert "nccl" not in plan
