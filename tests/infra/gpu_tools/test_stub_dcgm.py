"""DCGM from a simulated, really signed repository."""

from __future__ import annotations

from functools import partial

import pytest
from playbook_run import Converge
from testinfra.host import Host

PARTS = (
    "datacenter-gpu-manager-4-core",
    "datacenter-gpu-manager-4-cuda12",
    "datacenter-gpu-manager-4-proprietary-cuda12",
)


@pytest.fixture(scope="module")
def converge(converge: Converge) -> Converge:
    """Run this role alone; the others have nothing to do with it."""
    return partial(converge, gpu_tools_only=["dcgm"])


def test_it_is_for_the_drivers_cuda_and_never_the_unversioned_package(host: Host) -> None:
    """Branch 535 comes with CUDA 12.2."""
    for name in PARTS:
        assert host.package(name).version == "1:4.7.0-1"
    assert not host.package("datacenter-gpu-manager").is_installed
    assert not host.package("datacenter-gpu-manager-4-cuda13").is_installed


def test_all_of_its_parts_are_held(host: Host) -> None:
    assert set(PARTS) <= set(host.check_output("apt-mark showhold").splitlines())


def test_it_starts_at_boot_and_not_without_a_gpu(host: Host) -> None:
    assert host.service("nvidia-dcgm").is_enabled
    assert not host.service("nvidia-dcgm").is_running


def test_another_major_version_is_refused(converge: Converge) -> None:
    run = converge(dcgm_version="3")
    assert run.returncode != 0
    assert "lab_software.dcgm.version is 3: it must be 4" in run.said


def test_parts_of_different_versions_are_a_failure(host: Host, converge: Converge) -> None:
    """As a downgrade behind our back leaves them."""
    status = "/var/lib/dpkg/status"
    edit = "sed -i '/^Package: datacenter-gpu-manager-4-core$/,/^$/s/^Version: .*/Version: {}/' {}"
    host.check_output(edit.format("1:4.6.0-1", status))
    try:
        run = converge()
    finally:
        host.check_output(edit.format("1:4.7.0-1", status))
    assert run.returncode != 0
    assert "DCGM's parts are of different versions" in run.said


def test_a_service_that_was_switched_off_is_switched_on(host: Host, converge: Converge) -> None:
    host.check_output("systemctl disable nvidia-dcgm")
    assert converge().returncode == 0
    assert host.service("nvidia-dcgm").is_enabled
