"""Debian's real driver over power cuts, kernel upgrades and reboots of a virtual machine.

The modules are real and of the kernels that run; that they were compiled in a container, and not
by the node, is the scenario's only simulation. Each test goes on where the one before it ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from playbook_run import Converge, Play
from testinfra.host import Host

TARGETS = ["nvidia"]
#: How long a boot under emulation may take, in seconds: 40 beside other tests (2026-11-25).
BOOT_TIMEOUT_S = 600
BLACKLIST = "etc/modprobe.d/gpulab-nvidia.conf"
NOT_LOADED = "not loaded: no NVIDIA device on the PCI bus"
REBOOT_REQUIRED = "/run/reboot-required"
# The role's own call, and none of dpkg's; without writing anything first, as when the power fails.
POWER_CUT = """#!/bin/sh
case "$*" in *'-k all'*) echo b > /proc/sysrq-trigger; sleep 60 ;; esac
exec /usr/sbin/update-initramfs "$@"
"""
POWER_CUT_FILE = "/usr/local/sbin/update-initramfs"


def boot_id(host: Host) -> str:
    """Read which boot this is; empty while nobody answers."""
    try:
        return host.run("cat /proc/sys/kernel/random/boot_id").stdout.strip()
    except RuntimeError:  # testinfra's, where ssh itself fails
        return ""


def kernel(host: Host) -> str:
    return host.check_output("uname --kernel-release")


def wait_for_boot(host: Host, after: str) -> None:
    """Wait until the node answers after another boot than this."""
    deadline = time.monotonic() + BOOT_TIMEOUT_S
    while boot_id(host) in ("", after):
        assert time.monotonic() < deadline, "the machine did not come back"
        time.sleep(2)
    host.run("systemctl is-system-running --wait")


@pytest.fixture(scope="module")
def newest(host: Host) -> str:
    """The archive's newest kernel."""
    depends = host.check_output("apt-cache depends linux-image-cloud-amd64").split()
    return next(word for word in depends if word.startswith("linux-image-6")).removeprefix(
        "linux-image-"
    )


@pytest.fixture
def refuses(host: Host) -> Callable[[], bool]:
    """Tell whether the kernel takes the module, and the module finds no GPU."""

    def tell() -> bool:
        host.check_output("dmesg --clear")
        tried = host.run("modprobe nvidia")
        said = host.check_output("dmesg")
        assert tried.rc != 0
        assert "could not insert 'nvidia_current': No such device" in tried.stderr
        assert "NVRM: No NVIDIA GPU found." in said
        assert "disagrees about version" not in said
        return not host.file("/sys/module/nvidia").exists

    return tell


def driver_is_whole(host: Host) -> bool:
    """Tell whether the running kernel has its module, of NVML's version, and its initramfs."""
    running = kernel(host)
    version = host.check_output("modinfo -F version nvidia-current")
    assert version.startswith("535.")
    assert host.check_output("modinfo -F vermagic nvidia-current").split()[0] == running
    assert f"{running}, x86_64: installed" in host.check_output("dkms status nvidia-current")
    assert host.file(f"/usr/lib/x86_64-linux-gnu/nvidia/current/libnvidia-ml.so.{version}").exists
    image = f"/boot/initrd.img-{running}"
    kept = host.check_output(f"lsinitramfs {image} | grep -x {BLACKLIST}; rm -rf /tmp/image")
    assert kept == BLACKLIST
    host.check_output(f"unmkinitramfs {image} /tmp/image")
    copies = host.check_output(f"sh -c 'cat $(find /tmp/image -path \"*/{BLACKLIST}\")'")
    assert copies == host.file(f"/{BLACKLIST}").content_string.rstrip("\n")
    return "blacklist nouveau" in copies


def test_a_power_cut_before_the_initramfs_is_built(
    host: Host, converge: Converge, put: Callable[..., None]
) -> None:
    before = boot_id(host)
    put(host, POWER_CUT_FILE, POWER_CUT, "0755")
    host.check_output("sync")
    run = converge()
    assert run.returncode != 0
    assert "TASK [nvidia_driver : Build the initramfs]" in run.stdout
    assert "UNREACHABLE!" in run.stdout
    wait_for_boot(host, before)
    host.check_output(f"rm {POWER_CUT_FILE}")
    assert host.run(f"lsinitramfs /boot/initrd.img-{kernel(host)} | grep {BLACKLIST}").rc != 0


def test_the_next_run_repairs_it(host: Host, converge: Converge) -> None:
    run = converge()
    assert run.returncode == 0, run.stdout
    assert NOT_LOADED in run.said
    assert host.check_output("dpkg --audit") == ""
    assert driver_is_whole(host)


def test_the_kernel_takes_the_module_and_the_module_finds_no_gpu(
    host: Host, refuses: Callable[[], bool]
) -> None:
    assert refuses()
    assert "couldn't communicate with the NVIDIA driver" in host.run("nvidia-smi").stdout


def test_a_kernel_upgrade_behind_our_back_is_noticed(host: Host, play: Play, newest: str) -> None:
    """As an administrator does it, who removes the headers that the modules are built with."""
    before, was = boot_id(host), kernel(host)
    assert was != newest, "the image has the archive's newest kernel: there is no upgrade"
    # The role keeps headers coming with the kernels.
    host.check_output(
        f"apt-get remove --yes --quiet=2 linux-headers-cloud-amd64 linux-headers-{newest}"
    )
    host.check_output(
        f"apt-get install --yes --quiet=2 --no-install-recommends linux-image-{newest}"
    )
    host.run("systemctl reboot")
    wait_for_boot(host, before)
    assert kernel(host) == newest
    assert "blacklist nouveau" in host.check_output("modprobe --showconfig").splitlines()
    assert host.run("modinfo nvidia-current").rc != 0
    # A training under emulation would take an hour.
    run = play("site.yml", "--tags=verify", "--skip-tags=benchmark", "--limit=vm01")
    assert run.returncode != 0
    assert "No machine was touched" not in run.said
    assert "the running kernel has no module of NVIDIA's: none can be loaded" in run.said


def test_the_next_run_builds_the_module_and_says_that_a_reboot_is_due(
    host: Host, converge: Converge
) -> None:
    # What Debian and Ubuntu write when an update asks for a reboot.
    host.check_output(f"sh -c 'touch {REBOOT_REQUIRED}; echo libc6 > {REBOOT_REQUIRED}.pkgs'")
    before = boot_id(host)
    run = converge()
    assert run.returncode != 0
    assert (
        "The GPU software is installed, and a reboot is due: "
        f"{REBOOT_REQUIRED} is there (asked for by libc6). Reboot vm01, or run again with "
        "-e nvidia_driver_reboot=if_needed."
    ) in run.said
    assert driver_is_whole(host)
    assert boot_id(host) == before


def test_the_reboot_is_carried_out_where_the_policy_allows_it(
    host: Host, converge: Converge, newest: str, refuses: Callable[[], bool]
) -> None:
    before = boot_id(host)
    run = converge(nvidia_driver_reboot="if_needed")
    assert run.returncode == 0, run.stdout
    assert boot_id(host) not in ("", before)
    assert not host.file(REBOOT_REQUIRED).exists
    assert kernel(host) == newest
    assert driver_is_whole(host)
    assert refuses()
