"""A broken repository or node, or versions that differ: said, and repaired by the next run.

After the other tests, which look at what the scenario's own run left.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import pytest
from testinfra.host import Host

Converge = Callable[..., "subprocess.CompletedProcess[str]"]
Driver = Callable[[Host], dict[str, str]]
Held = Callable[[Host], set[str]]
VERSION = "580.95.05"
FAILED = "fatal: [{}]: FAILED!"
ADVICE = "Check lab_software.nvidia_driver (branch, version, source)"
#: How the driver's package goes where its repository is broken.
REMOVE = {
    "ubuntu2404": "apt-get purge --yes --allow-change-held-packages nvidia-open",
    "rocky9": "sh -c 'dnf versionlock clear; dnf --assumeyes remove nvidia-open'",
}


@pytest.fixture(scope="module")
def converge(converge: Converge) -> Converge:
    """Run the driver's role alone; the others have nothing to do with it."""
    return partial(converge, "--tags=driver")


@pytest.mark.on("ubuntu2404")
def test_a_driver_that_was_renamed_ends_the_run(
    pair: dict[str, Host],
    broken: Callable[[str], None],
    converge_pair: Converge,
    driver: Driver,
) -> None:
    for name, machine in pair.items():
        machine.check_output(REMOVE[name])
    broken("--rename nvidia-open=nvidia-opened")
    run = converge_pair()
    for name, machine in pair.items():
        assert FAILED.format(name) in run.stdout
        assert "nvidia-open" not in driver(machine)
    assert run.said.count(ADVICE) >= 2
    assert "No package matching 'nvidia-open' is available" in run.said


@pytest.mark.on("ubuntu2404")
def test_a_repository_that_does_not_answer_ends_the_run(
    pair: dict[str, Host], converge_pair: Converge, driver: Driver
) -> None:
    for machine in pair.values():
        machine.check_output("systemctl stop gpulab-stubs")
    try:
        run = converge_pair()
    finally:
        for machine in pair.values():
            machine.check_output("systemctl start gpulab-stubs")
    for name, machine in pair.items():
        assert FAILED.format(name) in run.stdout
        assert "nvidia-open" not in driver(machine)
    assert run.said.count("reaches the repository") >= len(pair)


@pytest.mark.on("ubuntu2404")
def test_the_next_run_mends_the_driver(
    pair: dict[str, Host], converge_pair: Converge, driver: Driver, held: Held
) -> None:
    run = converge_pair()
    assert run.returncode == 0, run.stdout
    for machine in pair.values():
        assert driver(machine)["nvidia-open"].startswith(f"{VERSION}-")
        assert set(driver(machine)) <= held(machine)


@pytest.mark.on("ubuntu2404")
def test_a_run_with_nothing_to_do_installs_nothing(
    pair: dict[str, Host], converge_pair: Converge
) -> None:
    run = converge_pair()
    assert run.returncode == 0, run.stdout
    assert run.stdout.count("changed=0 ") == len(pair)
    assert "TASK [nvidia_driver : Verify the driver as it is on disk]" in run.stdout
    assert "TASK [nvidia_driver : Install by" not in run.stdout


@pytest.mark.on("ubuntu2404")
def test_what_cannot_be_read_is_not_taken_for_missing(
    pair: dict[str, Host], converge: Converge, put: Callable[..., None]
) -> None:
    tool = "/usr/local/bin/modinfo"
    put(pair["ubuntu2404"], tool, "#!/bin/sh\necho broken >&2; exit 1\n", "0755")
    run = converge(shapes_only="ubuntu2404")
    pair["ubuntu2404"].check_output(f"rm {tool}")
    assert run.returncode != 0
    assert "Nothing was changed: what is installed could not be read: modinfo: broken." in run.said


@pytest.mark.on("ubuntu2404")
def test_a_version_that_is_not_there_ends_the_run(
    pair: dict[str, Host], converge: Converge, driver: Driver, held: Held
) -> None:
    run = converge(shapes_only=",".join(pair), nvidia_driver_version="580.99.99")
    for name, machine in pair.items():
        assert FAILED.format(name) in run.stdout
        assert driver(machine)["nvidia-open"].startswith(f"{VERSION}-")
        # EL's locks were released for the version that did not come.
        assert set(driver(machine)) <= held(machine)
    assert run.said.count(ADVICE) >= 2


@pytest.fixture
def ubuntu(pair: dict[str, Host]) -> Host:
    """An Ubuntu node whose driver has lost its package, so that a run has to install it."""
    machine = pair["ubuntu2404"]
    machine.check_output(REMOVE["ubuntu2404"])
    return machine


@pytest.mark.on("ubuntu2404")
def test_a_driver_that_brings_a_kernel_ends_the_run(
    ubuntu: Host, broken: Callable[[str], None], converge: Converge
) -> None:
    kernel = "linux-image-6.8.0-99-generic"
    broken(f"--drag nvidia-open={kernel}")
    run = converge(shapes_only="ubuntu2404")
    assert FAILED.format("ubuntu2404") in run.stdout
    assert f"Installing the driver changed the kernels from none to {kernel}" in run.said
    assert f"Remove what came ({kernel}), or reboot into it and run again" in run.said
    ubuntu.check_output(f"apt-get purge --yes --allow-change-held-packages {kernel}")


@pytest.fixture
def first_boot(ubuntu: Host, put: Callable[..., None]) -> Iterator[str]:
    """Give the node a first boot's job that takes a while, and nightly updates that wait."""
    log = "/srv/gpulab-cloud-init"
    put(
        ubuntu,
        "/usr/local/bin/cloud-init",
        f'#!/bin/sh\nsleep 2\nsystemctl is-active apt-daily.timer > {log}\necho "$*" >> {log}\n',
        "0755",
    )
    ubuntu.check_output("systemctl start apt-daily.timer")
    yield log
    ubuntu.check_output(f"rm /usr/local/bin/cloud-init {log}")


@pytest.mark.on("ubuntu2404")
def test_jobs_of_the_first_boot_are_waited_for_and_nightly_ones_kept_off(
    ubuntu: Host, first_boot: str, converge: Converge
) -> None:
    run = converge(shapes_only="ubuntu2404")
    assert run.returncode == 0, run.stdout
    assert ubuntu.file(first_boot).content_string == "active\nstatus --wait\n"
    assert ubuntu.service("apt-daily.timer").is_running
    stops = "journalctl --quiet --output=cat --unit=apt-daily.timer | grep -c '^Stopped'"
    assert int(ubuntu.check_output(stops)) >= 1


@contextmanager
def held_lock(machine: Host) -> Iterator[None]:
    """Hold dpkg's lock, as a first-boot job does that does not end."""
    hold = (
        "import fcntl, time; lock = open('/var/lib/dpkg/lock-frontend', 'w'); "
        "fcntl.lockf(lock, fcntl.LOCK_EX); time.sleep(600)"
    )
    machine.check_output("systemd-run --quiet --unit=gpulab-test-lock python3 -c %s", hold)
    try:
        yield
    finally:
        machine.check_output("systemctl stop gpulab-test-lock")


@contextmanager
def full_disk(machine: Host) -> Iterator[None]:
    """Leave no space where packages are downloaded to."""
    archives = "/var/cache/apt/archives"
    machine.check_output(f"mount -t tmpfs -o size=4k tmpfs {archives}")
    machine.check_output(f"mkdir {archives}/partial && head -c 4096 /dev/zero > {archives}/full")
    try:
        yield
    finally:
        machine.check_output(f"umount {archives}")


@pytest.mark.on("ubuntu2404")
def test_a_machine_that_can_not_install_now_says_why_and_converges_later(
    ubuntu: Host, converge: Converge, driver: Driver
) -> None:
    for fault, words in (
        (held_lock, "Another package run holds the lock: wait for it"),
        (full_disk, "Free some space (the driver and its build take 3 GB)."),
    ):
        with fault(ubuntu):
            run = converge(shapes_only="ubuntu2404", nvidia_driver_lock_timeout_s=3)
        assert FAILED.format("ubuntu2404") in run.stdout
        assert words in run.said
        assert "nvidia-open" not in driver(ubuntu)
    run = converge(shapes_only="ubuntu2404")
    assert run.returncode == 0, run.stdout
    assert driver(ubuntu)["nvidia-open"].startswith(f"{VERSION}-")


@contextmanager
def other_library(node: Host) -> Iterator[None]:
    """Give NVML another version than the module's."""
    folder = "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so"
    node.check_output(f"mv {folder}.{VERSION} {folder}.580.65.06")
    try:
        yield
    finally:
        node.check_output(f"mv {folder}.580.65.06 {folder}.{VERSION}")


@contextmanager
def other_dcgm(node: Host) -> Iterator[None]:
    """Give a part of DCGM an older version than the others."""
    install = "apt-get install --yes --allow-downgrades --allow-change-held-packages"
    node.check_output(f"{install} datacenter-gpu-manager-4-core=1:4.3.1-1")
    try:
        yield
    finally:
        node.check_output(f"{install} datacenter-gpu-manager-4-core=1:4.4.1-1")
        node.check_output("apt-mark hold datacenter-gpu-manager-4-core")


@pytest.mark.on("ubuntu2404")
@pytest.mark.parametrize(
    ("skew", "role", "words"),
    [
        (
            other_library,
            "driver",
            f"libnvidia-ml is 580.65.06, and the module on disk is {VERSION}: they work in one",
        ),
        (other_dcgm, "dcgm", "DCGM's parts are of different versions"),
    ],
)
def test_a_skew_ends_the_run(
    pair: dict[str, Host],
    converge: Converge,
    skew: Callable[[Host], AbstractContextManager[None]],
    role: str,
    words: str,
) -> None:
    with skew(pair["ubuntu2404"]):
        run = converge(f"--tags={role}", shapes_only="ubuntu2404")
    assert run.returncode != 0
    assert words in run.said, run.stdout
