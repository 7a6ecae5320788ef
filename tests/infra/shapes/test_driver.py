"""The driver on simulations of Ubuntu and EL: what the package managers' databases say.

The nodes have a fake PCI bus: an A100 (ubuntu2404), a V100 (ubuntu2204), an H100 (rocky9), no
GPU (centos10). The repositories have two versions of branch 580 and one of 590; all packages are
stubs, and no kernel would load their modules.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator

import pytest
from testinfra.host import Host

Driver = Callable[[Host], dict[str, str]]
Held = Callable[[Host], set[str]]
UBUNTU = ("ubuntu2204", "ubuntu2404")
EL = ("rocky9", "centos10")
VERSION = "580.95.05"
#: What the vendor publishes later, of the same branch.
LATER = "580.105.08"
STUBS = "/srv/gpulab-stubs/stubs.py --repository cuda"
MODULES = "/lib/modules/*/updates/dkms/nvidia.ko"
#: Node → what is installed, without what does not follow the driver's version.
NAMES = {
    "ubuntu2204": {
        "cuda-drivers",
        "cuda-drivers-580",
        "libnvidia-compute-580",
        "nvidia-compute-utils-580",
        "nvidia-dkms-580",
    },
    "ubuntu2404": {
        "libnvidia-compute-580",
        "nvidia-compute-utils-580",
        "nvidia-dkms-580-open",
        "nvidia-open",
        "nvidia-open-580",
    },
    "rocky9": {
        "kmod-nvidia-open-dkms",
        "nvidia-driver-cuda",
        "nvidia-driver-cuda-libs",
        "nvidia-open",
        "nvidia-persistenced",
    },
    "centos10": {
        "kmod-nvidia-open-dkms",
        "nvidia-driver-cuda",
        "nvidia-driver-cuda-libs",
        "nvidia-persistenced",
    },
}
#: The kernel whose headers the stubs of the distribution have.
KERNELS = {
    "ubuntu2204": "5.15.0-157-generic",
    "ubuntu2404": "6.8.0-85-generic",
    "rocky9": "5.14.0-570.12.1.el9_6.x86_64",
    "centos10": "6.12.0-55.9.1.el10_0.x86_64",
}


def test_the_branchs_newest_of_the_names_that_the_gpu_needs(host: Host, driver: Driver) -> None:
    name = host.backend.get_hostname()
    release = "-0ubuntu1" if name in UBUNTU else "-1"
    wanted = dict.fromkeys(NAMES[name], VERSION + release)
    if name in UBUNTU:
        wanted["nvidia-driver-pinning-580"] = "580-1"
    assert driver(host) == wanted


def test_every_package_of_it_is_held(host: Host, driver: Driver, held: Held) -> None:
    assert driver(host)
    assert set(driver(host)) - held(host) == set()


def test_the_modules_flavour_and_version(host: Host) -> None:
    name = host.backend.get_hostname()
    licence = "NVIDIA" if name == "ubuntu2204" else "Dual MIT/GPL"
    assert host.check_output(f"modinfo -F license {MODULES}") == licence
    assert host.check_output(f"modinfo -F version {MODULES}") == VERSION
    assert host.check_output(f"ls {MODULES}").split("/")[3] == KERNELS[name]


def test_headers_are_there_to_build_with(host: Host) -> None:
    name = host.backend.get_hostname()
    if name in EL:
        said = host.check_output("rpm --query kernel-devel")
        assert said == f"kernel-devel-{KERNELS[name]}"
    else:
        for package in ("linux-headers-generic", f"linux-headers-{KERNELS[name]}"):
            assert host.package(package).is_installed


@pytest.mark.on("rocky9")
def test_one_stream_is_enabled(host: Host) -> None:
    said = host.check_output("dnf --quiet module list --enabled nvidia-driver")
    rows = [line.split() for line in said.splitlines() if line.startswith("nvidia-driver ")]
    assert [row[1] for row in rows] == ["580-open"]


@pytest.mark.on("centos10")
def test_a_lock_keeps_the_branch_where_there_are_no_streams(host: Host) -> None:
    locks = host.check_output("dnf --quiet versionlock list").splitlines()
    found = {lock for lock in locks if "nvidia" in lock}
    # The other flavour's, too, though it is not installed.
    assert f"kmod-nvidia-latest-dkms-3:{VERSION}-1.*" in found
    # The fabric manager's packages have no epoch.
    assert [lock for lock in found if not re.search(r"-[03]:580[.]", lock)] == []
    assert host.run("dnf --quiet module list nvidia-driver").failed


@pytest.mark.on(*UBUNTU)
def test_apt_prefers_the_branch(host: Host) -> None:
    # Held or not: the repository has 590, too.
    meta = "cuda-drivers" if host.backend.get_hostname() == "ubuntu2204" else "nvidia-open"
    policy = host.check_output(f"apt-cache policy {meta}")
    assert "590.44.01-0ubuntu1" in policy
    assert f"Candidate: {VERSION}-0ubuntu1\n" in policy


@pytest.mark.parametrize("module", ["nouveau", "nova_core", "nova_drm"])
def test_other_drivers_of_the_gpus_are_kept_off(host: Host, module: str) -> None:
    text = host.file("/etc/modprobe.d/gpulab-nvidia.conf").content_string
    assert f"blacklist {module}" in text.splitlines()
    assert f"blacklist {module}" in host.check_output("modprobe --showconfig").splitlines()


def test_the_persistence_daemon_starts_at_boot(host: Host) -> None:
    assert host.service("nvidia-persistenced").is_enabled


@pytest.fixture
def published(host: Host) -> Iterator[None]:
    """Publish a later version of the branch; afterwards it is gone again."""
    name = host.backend.get_hostname()
    refresh = "dnf --quiet --refresh makecache" if name in EL else "apt-get update --quiet=2"
    host.check_output(f"{STUBS} --later")
    host.check_output(refresh)
    yield
    host.check_output(STUBS)
    host.check_output(refresh)


@pytest.mark.on(*UBUNTU)
@pytest.mark.usefixtures("published")
def test_apt_does_not_take_a_later_version(host: Host, driver: Driver) -> None:
    plan = host.check_output("apt-get --simulate dist-upgrade | grep ^Inst")
    assert "gpulab-canary" in plan
    assert [line for line in plan.splitlines() if line.split()[1] in driver(host)] == []
    # The holds alone keep it away.
    plan = host.check_output("apt-get --simulate --ignore-hold dist-upgrade | grep ^Inst")
    taken = {line.split()[1] for line in plan.splitlines() if LATER in line}
    assert taken == NAMES[host.backend.get_hostname()]


@pytest.mark.on(*EL)
@pytest.mark.usefixtures("published")
def test_dnf_does_not_take_a_later_version(host: Host) -> None:
    plan = host.run("dnf --assumeno upgrade").stdout
    assert "gpulab-canary" in plan
    assert "nvidia" not in plan.replace("gpulab-nvidia", "")
    # The locks alone keep it away, and EL 9's stream the other branch.
    plan = host.run("dnf --assumeno --disableplugin=versionlock upgrade").stdout
    assert "nvidia-driver-cuda" in plan
    assert ("590.44.01" in plan) == (host.backend.get_hostname() == "centos10")
    assert (LATER in plan) == (host.backend.get_hostname() == "rocky9")


@pytest.mark.on("ubuntu2204")
def test_modules_that_cannot_drive_the_gpu_are_refused(
    host: Host, driver: Driver, converge: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    before = driver(host)
    run = converge("--tags=driver", shapes_only="ubuntu2204", nvidia_driver_flavour="open")
    said = " ".join(run.stdout.split())
    assert run.returncode != 0
    assert "Nothing was changed" in said
    assert "lab_software.nvidia_driver.flavour open cannot drive it" in said
    assert driver(host) == before
