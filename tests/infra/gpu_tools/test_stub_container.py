"""The container toolkit from a simulated, really signed repository, and its faults."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playbook_run import Converge
from testinfra.host import Host

PACKAGES = (
    "nvidia-container-toolkit",
    "nvidia-container-toolkit-base",
    "libnvidia-container-tools",
    "libnvidia-container1",
)
Software = Callable[..., dict[str, Any]]
Fault = Callable[..., AbstractContextManager[None]]


@pytest.fixture(scope="module")
def converge(converge: Converge) -> Converge:
    """Run this role alone; the others have nothing to do with it."""
    return partial(converge, gpu_tools_only=["nvidia_container"])


def test_the_declared_version_is_there_and_held(host: Host) -> None:
    """The repository has a later one."""
    held = host.check_output("apt-mark showhold").splitlines()
    for name in PACKAGES:
        assert host.package(name).version == "1.20.1-1"
        assert name in held
    assert "1.21.0-1" in host.check_output("apt-cache policy nvidia-container-toolkit")


def test_the_repository_is_trusted_by_its_own_key_only(host: Host) -> None:
    source = host.file("/etc/apt/sources.list.d/nvidia-container-toolkit.sources").content_string
    assert "Signed-By: /etc/apt/keyrings/nvidia-container-toolkit.asc" in source
    assert "rusted" not in source.replace("Signed", "")
    key = host.file("/etc/apt/keyrings/nvidia-container-toolkit.asc").content_string
    served = host.file("/srv/gpulab-stubs/container/stub-key.asc").content_string
    assert key.strip() == served.strip()
    assert (
        host.file("/etc/apt/trusted.gpg.d").listdir() == []
        or not host.run("grep -l %s /etc/apt/trusted.gpg.d/*", key.splitlines()[2]).stdout
    )


def test_the_units_start_at_boot(host: Host) -> None:
    assert host.service("nvidia-cdi-refresh.service").is_enabled
    assert host.service("nvidia-cdi-refresh.path").is_enabled
    assert host.service("nvidia-cdi-refresh.path").is_running


def test_the_specification_is_written_each_time_the_driver_changes(host: Host) -> None:
    """More than once: the vendor's unit would stay active after the first."""
    log = host.file("/run/stub-cdi-generated")
    for _ in range(2):
        before = len(log.content_string.splitlines())
        host.check_output("date +%%N > /run/stub-driver")
        host.check_output(
            "timeout 20 sh -c %s",
            f"until [ $(wc -l < /run/stub-cdi-generated) -gt {before} ]; do sleep 0.2; done",
        )


def test_docker_keeps_its_users_keys(host: Host) -> None:
    """Simulated docker 28."""
    assert json.loads(host.file("/etc/docker/daemon.json").content_string) == {
        "log-driver": "journald",
        "features": {"containerd-snapshotter": True, "cdi": True},
    }
    assert host.service("docker").is_running


def test_a_key_other_than_the_pinned_one_is_refused_before_anything(
    host: Host, converge: Converge
) -> None:
    file = "/etc/apt/keyrings/nvidia-container-toolkit.asc"
    before = host.file(file).content_string
    key = f"{os.environ['MOLECULE_EPHEMERAL_DIRECTORY']}/stub-cuda.asc"
    run = converge(nvidia_container_key_file=key)
    assert run.returncode != 0
    assert "and nvidia_container_key_fingerprint is" in run.said
    assert "Nothing was changed." in run.said
    assert host.file(file).content_string == before


def test_a_key_hidden_behind_the_pinned_one_is_refused(converge: Converge, tmp_path: Path) -> None:
    folder = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
    both = tmp_path / "both.asc"
    both.write_text(
        (folder / "stub-container.asc").read_text() + (folder / "stub-cuda.asc").read_text()
    )
    run = converge(nvidia_container_key_file=str(both))
    assert run.returncode != 0
    assert "Nothing was changed." in run.said


def test_a_repository_signed_by_another_key_is_refused(
    converge: Converge, rebuilt: Fault, unheld: Fault
) -> None:
    """Where apt alone would only warn, and go on with the list of yesterday."""
    with unheld("libnvidia-container1"), rebuilt("container", "--signer cuda"):
        run = converge()
    assert run.returncode != 0
    assert "The repository is not signed by the key that is pinned for it." in run.said


def test_a_version_that_is_not_there_is_named_with_the_key(
    host: Host, converge: Converge, software: Software
) -> None:
    run = converge(lab_software=software(nvidia_container={"version": "1.20.2"}))
    assert run.returncode != 0
    assert "Check lab_software.nvidia_container.version in the inventory" in run.said
    assert host.package("nvidia-container-toolkit").version == "1.20.1-1"


def test_a_release_without_the_unit_is_refused(converge: Converge, software: Software) -> None:
    run = converge(lab_software=software(nvidia_container={"version": "1.17.8"}))
    assert run.returncode != 0
    assert "lab_software.nvidia_container.version is 1.17.8" in run.said


def test_a_broken_configuration_of_docker_is_left_to_its_user(
    host: Host, converge: Converge
) -> None:
    file = "/etc/docker/daemon.json"
    good = host.file(file).content_string
    host.check_output("printf %%s %s > " + file, "{not json")
    run = converge()
    assert run.returncode != 0
    assert "/etc/docker/daemon.json is not JSON" in run.said
    assert host.file(file).content_string == "{not json"
    host.check_output("printf %%s %s > " + file, good)
