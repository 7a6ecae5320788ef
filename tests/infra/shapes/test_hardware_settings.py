"""What needs a GPU (tasks/hardware.yml), on a simulation: a fake nvidia-smi, module and mokutil.

A container has no module of its own, so the role is told from outside that this is none, and that
no kernel of its own would boot. What is started, set and asked is the role's; what answers is not
NVIDIA's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from playbook_run import Play
from testinfra.host import Host

Machine = Callable[[str], Host]
VERSION = "580.95.05"
CARD = "/srv/gpulab-card"
SMI = (Path(__file__).parent / "files/nvidia-smi.sh").read_text()
MOKUTIL = """#!/bin/sh
# Simulation of mokutil for gpulab's tests: Secure Boot is on, and no key is enrolled.
[ "$1" = --sb-state ] && echo 'SecureBoot enabled'
"""
#: The role's view of the machine: no container, and headers as in one.
A_MACHINE = {"__nvidia_driver_in_container": False, "__nvidia_driver_bootable": []}


@pytest.fixture(scope="module")
def node(machine: Machine, put: Callable[..., None]) -> Iterator[Host]:
    """An A100 whose module is loaded, as far as files tell; afterwards it is a container again."""
    host = machine("ubuntu2404")
    host.check_output("mount -t tmpfs tmpfs /proc/driver")
    put(host, "/proc/driver/nvidia/version", f"NVRM version: NVIDIA UNIX x86_64  {VERSION}  \n")
    put(host, "/usr/local/bin/nvidia-smi", SMI, "0755")
    put(
        host,
        "/usr/local/sbin/modprobe",
        '#!/bin/sh\necho "$*" >> /srv/gpulab-card/modprobe\n',
        "0755",
    )
    for name, value in (
        ("power", "300.00"),
        ("ecc", "Enabled"),
        ("ecc_pending", "Enabled"),
        ("mig", "Disabled"),
    ):
        put(host, f"{CARD}/{name}", value)
    yield host
    host.check_output("umount /proc/driver")
    host.check_output("apt-get purge --yes --allow-change-held-packages nvidia-fs")
    # Not there where a test failed.
    host.run("systemctl disable --now gpulab-gpu-settings")
    host.check_output(
        f"rm -rf {CARD} /usr/local/bin/nvidia-smi /usr/local/sbin/modprobe /var/lib/gpulab "
        "/etc/systemd/system/gpulab-gpu-settings.service /usr/local/sbin/gpulab-gpu-settings"
    )


@pytest.fixture(scope="module")
def use(play: Play, node: Host) -> Play:
    """Run the driver's role on the machine: ``use({"power_limit_w": 250})``."""
    return partial(
        play,
        "molecule/shapes/driver.yml",
        shapes_only=node.backend.get_hostname(),
        **A_MACHINE,
    )


def calls(host: Host) -> list[str]:
    """What nvidia-smi was told to do, without what only reads."""
    file = host.file(f"{CARD}/calls")
    lines = file.content_string.splitlines() if file.exists else []
    host.check_output(f"rm -f {CARD}/calls")
    return [line for line in lines if not line.startswith(("--query", "--list"))]


def test_power_limit_and_clocks_are_set_now_and_at_boot(use: Play, node: Host) -> None:
    settings = {
        "power_limit_w": 250,
        "clocks_mhz": {"graphics": 1410},
        "gpudirect": True,
        "gds": True,
    }
    run = use(nvidia_driver_settings=settings)
    assert run.returncode == 0, run.stdout
    assert calls(node) == ["--power-limit=250", "--lock-gpu-clocks=1410"]
    assert node.file(f"{CARD}/modprobe").content_string.splitlines()[-1] == (
        "--all nvidia nvidia_uvm nvidia_peermem nvidia_fs"
    )
    assert "nvidia-fs" in node.check_output("apt-mark showhold").split()
    listed = node.file("/etc/modules-load.d/gpulab-nvidia.conf").content_string.splitlines()
    assert [line for line in listed if not line.startswith("#")] == ["nvidia_peermem", "nvidia_fs"]
    assert node.service("nvidia-persistenced").is_enabled
    assert node.service("nvidia-persistenced").is_running
    assert node.service("gpulab-gpu-settings").is_enabled
    # As a boot does.
    node.check_output("systemctl restart gpulab-gpu-settings")
    assert calls(node) == ["--power-limit=250", "--lock-gpu-clocks=1410"]


def test_a_power_limit_beyond_the_cards_is_refused(use: Play, node: Host) -> None:
    run = use(nvidia_driver_settings={"power_limit_w": 400})
    assert run.returncode != 0
    assert "No GPU was set: node_gpu.power_limit_w is 400, and GPU 00000000:01:00.0" in run.said
    assert "takes 150 to 300 W" in run.said
    assert calls(node) == []


def test_gpudirect_storage_is_refused_where_canonical_has_none(use: Play) -> None:
    run = use(nvidia_driver_settings={"gds": True}, nvidia_driver_source="distribution")
    assert run.returncode != 0
    assert "Nothing was changed: node_gpu.gds is true" in run.said
    assert "has no nvidia-fs for it: declare source: nvidia, or gds: false" in run.said


def test_what_nvidia_smi_refuses_is_told_in_its_words(use: Play, node: Host) -> None:
    run = use(nvidia_driver_settings={"clocks_mhz": {"memory": 9999}})
    assert run.returncode != 0
    assert "The GPUs are not set as node_gpu declares: nvidia-smi --lock-memory-clocks" in run.said
    assert "not a supported memory clock" in run.said
    calls(node)


def test_a_change_of_ecc_waits_for_a_reboot(use: Play, node: Host) -> None:
    run = use(nvidia_driver_settings={"ecc": False, "persistence": False})
    assert run.returncode == 0, run.stdout
    assert calls(node) == ["--ecc-config=0"]
    pending = "ECC of GPU 00000000:01:00.0 is Enabled and will be Disabled after a reboot"
    assert f"pending: {pending}" in run.said
    assert not node.service("nvidia-persistenced").is_running
    assert node.check_output("systemctl is-enabled nvidia-persistenced || true") == "masked"


@contextmanager
def process(node: Host) -> Iterator[None]:
    node.check_output(f"sh -c 'echo 4242 > {CARD}/processes'")
    try:
        yield
    finally:
        node.check_output(f"rm {CARD}/processes")


def test_mig_is_not_touched_unless_it_is_asked_for(use: Play, node: Host) -> None:
    run = use(nvidia_driver_settings={"mig": ["3g.20gb", "3g.20gb"]})
    assert run.returncode == 0, run.stdout
    assert calls(node) == []


def test_mig_is_refused_while_a_process_runs(use: Play, node: Host) -> None:
    with process(node):
        run = use(nvidia_driver_settings={"mig": ["3g.20gb"] * 2}, nvidia_driver_apply_mig=True)
    assert run.returncode != 0
    assert "node_gpu.mig is not laid out: processes use the GPUs: 4242. Drain" in run.said
    assert calls(node) == []


def test_mig_is_laid_out_once_and_again_after_a_boot(use: Play, node: Host) -> None:
    settings = {"mig": ["3g.20gb"] * 2}
    laid_out = [
        "mig --destroy-compute-instance",
        "mig --destroy-gpu-instance",
        "--multi-instance-gpu=1",
        "mig --create-gpu-instance=3g.20gb,3g.20gb --default-compute-instance",
    ]
    run = use(nvidia_driver_settings=settings, nvidia_driver_apply_mig=True)
    assert run.returncode == 0, run.stdout
    assert calls(node) == laid_out
    # Jobs run in the instances: a second run leaves them alone.
    with process(node):
        run = use(nvidia_driver_settings=settings, nvidia_driver_apply_mig=True)
    assert run.returncode == 0, run.stdout
    assert calls(node) == []
    # As at boot, which instances do not outlast.
    node.check_output(f"rm {CARD}/instances")
    node.check_output("systemctl restart gpulab-gpu-settings")
    assert calls(node) == laid_out
    node.check_output("systemctl restart gpulab-gpu-settings")
    assert calls(node) == []


def test_a_gpu_that_the_driver_does_not_list_ends_the_run(use: Play, node: Host) -> None:
    node.check_output(f"touch {CARD}/lost")
    run = use(nvidia_driver_settings={})
    node.check_output(f"rm {CARD}/lost")
    assert run.returncode != 0
    assert "nvidia-smi lists 0 of 1 GPUs: No devices were found" in run.said


def test_another_version_is_not_put_under_a_loaded_module(use: Play) -> None:
    run = use(nvidia_driver_settings={}, nvidia_driver_version="580.65.06")
    assert run.returncode != 0
    assert f"Nothing was changed: {VERSION} is loaded" in run.said
    assert "lab_software.nvidia_driver.version is 580.65.06" in run.said


def test_secure_boot_without_an_enrolled_key_is_refused(
    use: Play, node: Host, put: Callable[..., None]
) -> None:
    put(node, "/usr/local/bin/mokutil", MOKUTIL, "0755")
    run = use(nvidia_driver_settings={})
    node.check_output("rm /usr/local/bin/mokutil")
    assert run.returncode != 0
    assert "Nothing was changed: Secure Boot is on" in run.said
    # Ubuntu's own way; Debian's and EL's are in tests/unit/roles/test_secure_boot_advice.py.
    assert "mokutil --import /var/lib/shim-signed/mok/MOK.der" in run.said
    assert 'choose "Enroll MOK"' in run.said


@contextmanager
def nvswitch(node: Host) -> Iterator[None]:
    device = "/srv/gpulab-stubs/pci/0000:0a:00.0"
    node.check_output(f"mkdir {device}")
    for name, value in (("vendor", "0x10de"), ("device", "0x1af1"), ("class", "0x068000")):
        node.check_output(f"sh -c 'echo {value} > {device}/{name}'")
    try:
        yield
    finally:
        node.check_output(f"rm -r {device}")


def test_nvswitches_get_a_fabric_manager_of_the_same_version(use: Play, node: Host) -> None:
    fabric_manager = "nvidia-fabricmanager"
    with nvswitch(node):
        run = use(nvidia_driver_settings={})
        assert run.returncode == 0, run.stdout
        assert node.package(fabric_manager).version == f"{VERSION}-1"
        assert fabric_manager in node.check_output("apt-mark showhold").split()
        assert node.service(fabric_manager).is_enabled
        assert node.service(fabric_manager).is_running
        node.check_output(
            "apt-get install --yes --allow-downgrades --allow-change-held-packages "
            f"{fabric_manager}=580.65.06-1"
        )
        run = use(nvidia_driver_settings={})
    assert run.returncode != 0
    assert f"fabric manager is 580.65.06, and the module on disk is {VERSION}" in run.said
    assert f"-e nvidia_driver_version={VERSION}" in run.said
    node.check_output(f"apt-get purge --yes --allow-change-held-packages {fabric_manager}")
