"""A virtual machine of the sandbox after a reboot that it configured itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from testinfra.host import Host

TARGETS = ["vm01"]


@pytest.fixture(scope="module")
def disks(host: Host) -> dict[str, dict[str, Any]]:
    """The guest's whole disks by serial number."""
    listed = host.check_output("lsblk --nodeps --json --bytes --output NAME,SERIAL,ROTA,SIZE,TRAN")
    return {disk["serial"]: disk for disk in json.loads(listed)["blockdevices"]}


@pytest.fixture(scope="module")
def addresses(host: Host) -> dict[str, str]:
    """The guest's IPv4 addresses by interface."""
    shown = json.loads(host.check_output("ip -json -4 address show scope global"))
    return {link["ifname"]: link["addr_info"][0]["local"] for link in shown}


def test_it_has_a_kernel_of_its_own(host: Host) -> None:
    assert host.check_output("systemd-detect-virt --vm") == "qemu"
    assert host.run("systemd-detect-virt --container").stdout.strip() == "none"
    assert host.run("modprobe dummy && lsmod | grep -qw dummy").succeeded


def test_the_reboot_was_one(host: Host) -> None:
    before = host.file("/root/boot_id-before").content_string
    assert host.file("/proc/sys/kernel/random/boot_id").content_string != before


def test_the_command_line_is_the_guests(host: Host) -> None:
    assert "mark=set-in-guest" in host.file("/proc/cmdline").content_string.split()


def test_the_initramfs_is_the_guests(host: Host) -> None:
    assert host.file("/run/initramfs-mark").content_string == "built-in-guest\n"


def test_disks_have_their_serials_and_kinds(disks: dict[str, dict[str, Any]]) -> None:
    assert set(disks) == {"root-vm01", "FLASH0001", "SPIN0001"}
    assert {serial: disk["rota"] for serial, disk in disks.items()} == {
        "root-vm01": False,
        "FLASH0001": False,
        "SPIN0001": True,
    }
    assert disks["FLASH0001"]["tran"] == "nvme"
    assert (disks["FLASH0001"]["size"], disks["SPIN0001"]["size"]) == (4 * 2**30, 8 * 2**30)


def test_each_zone_has_its_address(
    host: Host, addresses: dict[str, str], declared: dict[str, Any]
) -> None:
    interfaces = declared["vm01"]["node_interfaces"]
    assert addresses == {name: entry["address"] for name, entry in interfaces.items()}
    assert host.check_output("hostname") == "vm01"


def test_each_zone_has_its_ipv6_address_and_one_the_way_out(
    host: Host, declared: dict[str, Any]
) -> None:
    shown = json.loads(host.check_output("ip -json -6 address show scope global"))
    addresses = {link["ifname"]: link["addr_info"][0]["local"] for link in shown}
    interfaces = declared["vm01"]["node_interfaces"]
    assert addresses == {name: entry["address6"] for name, entry in interfaces.items()}
    (route,) = json.loads(host.check_output("ip -json -6 route show default"))
    assert route["dev"] == "eth0"
    host.check_output(f"ping -6 -c 1 -W 10 {route['gateway']}")


def test_the_outside_is_reached_by_name(host: Host) -> None:
    assert host.run("apt-get update").succeeded


def test_the_base_role_holds(host: Host) -> None:
    # What a container may not set; the kernel's own value is 60.
    assert host.check_output("sysctl --values vm.swappiness") == "10"
    assert host.check_output("systemctl is-system-running --wait") == "running"
