"""What a virtual machine is started with, and which declarations are refused."""

from __future__ import annotations

import dataclasses
import io
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.sandbox import containers, networks, vms
from ansible_collections.gpulab.core.plugins.module_utils.sandbox.engine import Engine
from ansible_collections.gpulab.core.plugins.module_utils.sandbox.errors import SandboxError
from ansible_collections.gpulab.core.plugins.module_utils.sandbox.plan import Machine, Plan

LAB = "gpulab-demo-1"
PODMAN = Engine("podman", ("podman",), "")
SSD: dict[str, Any] = {"serial": "FLASH1", "size_gib": 4, "kind": "ssd"}
HDD: dict[str, Any] = {"serial": "SPIN1", "size_gib": 8, "kind": "hdd"}
VM = Machine("vm01", "vm", ("management", "storage"), 2048, 3, (SSD, HDD))
PLAN = Plan(
    {"management": "10.192.0.0/24", "storage": "10.192.1.0/24"},
    {"vm01": {"management": "10.192.0.11", "storage": "10.192.1.11"}},
    {"management": "fd01:2:3:4::/64", "storage": "fd01:2:3:5::/64"},
)


def options(command: list[str], name: str) -> list[str]:
    """Give the values that follow an option, in order."""
    return [value for option, value in zip(command, command[1:], strict=False) if option == name]


def with_disk(**changes: object) -> Machine:
    return dataclasses.replace(VM, disks=({**SSD, **changes},))


def test_memory_and_processors() -> None:
    command = vms.qemu_command(LAB, VM)
    assert options(command, "-m") == ["2048"]
    assert options(command, "-smp") == ["3"]


def test_it_is_emulated_in_software() -> None:
    assert options(vms.qemu_command(LAB, VM), "-accel") == ["tcg,thread=multi"]


def test_the_disk_boots_not_a_kernel_from_outside() -> None:
    command = vms.qemu_command(LAB, VM)
    assert not {"-kernel", "-initrd", "-append"} & set(command)
    root = "scsi-hd,bus=scsi.0,rotation_rate=1,drive=root,bootindex=0,serial=root-vm01"
    assert root in options(command, "-device")


def test_disks_say_their_serial_and_whether_they_turn() -> None:
    devices = options(vms.qemu_command(LAB, VM), "-device")
    assert "nvme,drive=disk0,serial=FLASH1" in devices
    assert "scsi-hd,bus=scsi.0,rotation_rate=7200,drive=disk1,serial=SPIN1" in devices


def test_one_card_per_zone_in_the_zones_order() -> None:
    command = vms.qemu_command(LAB, VM)
    cards = [device for device in options(command, "-device") if device.startswith("virtio-net")]
    assert cards == [
        f"virtio-net-pci,netdev=net{index},mac={networks.mac(LAB, 'vm01', zone)}"
        for index, zone in enumerate(VM.zones)
    ]
    assert len(options(command, "-netdev")) == 2
    assert vms.interfaces(VM) == {"eth0": "management", "eth1": "storage"}


def test_the_command_is_the_same_at_every_start() -> None:
    assert vms.qemu_command(LAB, VM) == vms.qemu_command(LAB, VM)


def test_card_addresses_are_local_and_differ() -> None:
    found = {
        networks.mac(lab, machine, zone)
        for lab in ("a", "b")
        for machine in ("vm01", "vm02")
        for zone in VM.zones
    }
    assert len(found) == 8
    # Second bit of the first byte: locally administered; first bit: unicast.
    assert {int(address[:2], 16) & 3 for address in found} == {2}


def test_the_launcher_gets_addresses_and_disks() -> None:
    command = vms.container_command(LAB, VM, PLAN)
    assert command[: command.index("--")] == [
        f"/{vms.LAUNCHER}",
        "nic=10.192.0.11,tap0",
        "nic=10.192.1.11,tap1",
        "disk=/disks/FLASH1.raw,4G",
        "disk=/disks/SPIN1.raw,8G",
    ]


def test_the_chassis_is_not_privileged() -> None:
    arguments = containers.create_args(PODMAN, LAB, VM, PLAN, "image")
    assert "--privileged" not in arguments
    assert options(arguments, "--cap-add") == ["NET_ADMIN"]
    assert options(arguments, "--device") == ["/dev/net/tun"]
    assert "seccomp=unconfined" not in arguments


def test_only_the_first_outside_zone_has_the_default_route() -> None:
    everywhere = frozenset(VM.zones)
    files = vms.network_files(LAB, VM, PLAN, everywhere)
    first, second = (
        files[f"etc/systemd/network/20-{zone}.network"].data.decode() for zone in VM.zones
    )
    assert "Address=10.192.0.11/24\nAddress=fd01:2:3:4::11/64\n" in first
    assert "Gateway=10.192.0.1\nGateway=fd01:2:3:4::1\n" in first
    assert "Address=10.192.1.11/24\nAddress=fd01:2:3:5::11/64\n" in second
    assert "Gateway" not in second
    assert f"MACAddress={networks.mac(LAB, 'vm01', 'storage')}" in second
    assert files["etc/resolv.conf"].data == b"nameserver 10.192.0.1\n"


def test_an_inner_machine_has_no_route_to_the_outside() -> None:
    files = vms.network_files(LAB, VM, PLAN, frozenset())
    assert b"nameserver" not in files["etc/resolv.conf"].data
    assert not any(b"Gateway" in file.data for file in files.values())


def test_the_seed_holds_keys_and_network_for_the_guest_alone(tmp_path: Path) -> None:
    (tmp_path / "ssh_host_ed25519_key").write_text("secret")
    (tmp_path / "ssh_host_ed25519_key.pub").write_text("public")
    archive = vms.seed_archive(LAB, VM, PLAN, frozenset({"management"}), tmp_path, "key")
    with tarfile.open(fileobj=io.BytesIO(archive)) as outer:
        modes = {entry.name: entry.mode for entry in outer}
        assert modes == {vms.SEED_FILE: 0o600, vms.LAUNCHER: 0o755}
        held = outer.extractfile(vms.SEED_FILE)
        assert held is not None
        with tarfile.open(fileobj=io.BytesIO(held.read())) as inner:
            modes = {member.name: member.mode for member in inner.getmembers()}
    assert modes["etc/ssh/ssh_host_ed25519_key"] == 0o600
    assert modes["etc/ssh/ssh_host_ed25519_key.pub"] == 0o644
    assert modes["home/gpulab/.ssh"] == 0o700
    assert "etc/systemd/network/20-storage.network" in modes


@pytest.mark.parametrize(
    ("machine", "says"),
    [
        (dataclasses.replace(VM, memory_mib=128), "sandbox_memory_mib is 128.*at least 512"),
        (dataclasses.replace(VM, cpus=0), "sandbox_cpus is 0: at least 1"),
        (with_disk(serial="a,b"), "sandbox_disks 'a,b': serial must be"),
        (with_disk(serial="x" * 21), "serial must be 1 to 20"),
        (with_disk(serial=""), "serial must be"),
        (with_disk(serial="root-vm01"), "another disk of this machine has that serial"),
        (dataclasses.replace(VM, disks=(SSD, SSD)), "another disk of this machine"),
        (with_disk(size_gib=0), "size_gib must be 1 or more"),
        (with_disk(kind="tape"), "kind must be one of ssd, hdd"),
    ],
)
def test_a_wrong_declaration_is_refused_by_its_variable(machine: Machine, says: str) -> None:
    with pytest.raises(SandboxError, match=f"^vm01: .*{says}"):
        vms.check(machine)


def test_a_right_declaration_passes() -> None:
    vms.check(VM)


def test_a_host_without_tun_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="modprobe tun"):
        vms.check_host("podman", tmp_path / "tun")


def test_docker_is_refused(tmp_path: Path) -> None:
    tun = tmp_path / "tun"
    tun.touch()
    with pytest.raises(SandboxError, match="needs podman; this host has docker"):
        vms.check_host("docker", tun)
    vms.check_host("podman", tun)


@pytest.fixture
def launcher(tmp_path: Path) -> Callable[[str], list[str]]:
    """Give the command that launches a shell script in QEMU's place, in ``tmp_path``."""

    def command(emulator: str) -> list[str]:
        archive = vms.seed_archive(LAB, VM, PLAN, frozenset(), tmp_path, "key")
        with tarfile.open(fileobj=io.BytesIO(archive)) as outer:
            held = outer.extractfile(vms.LAUNCHER)
            assert held is not None
            script = held.read().decode()
        (tmp_path / "root.qcow2").touch()
        file = tmp_path / "launch-vm"
        file.write_text(script.replace("/disks", str(tmp_path)).replace("/run/", f"{tmp_path}/"))
        return ["sh", str(file), "--", "sh", "-c", f"echo started >> starts\n{emulator}"]

    return command


def starts(folder: Path) -> int:
    """Count how often the emulator was started."""
    file = folder / "starts"
    return len(file.read_text().splitlines()) if file.exists() else 0


def test_a_reset_starts_the_emulator_anew_and_a_power_off_does_not(
    launcher: Callable[[str], list[str]], tmp_path: Path
) -> None:
    (tmp_path / "power-off").write_text("of the start before")
    emulator = ": > power-off; [ $(wc -l < starts) -lt 3 ] || echo traced > power-off"
    done = subprocess.run(launcher(emulator), cwd=tmp_path, check=False, timeout=30)
    assert (done.returncode, starts(tmp_path)) == (0, 3)


def test_an_emulator_that_fails_ends_the_machine(
    launcher: Callable[[str], list[str]], tmp_path: Path
) -> None:
    done = subprocess.run(launcher("exit 3"), cwd=tmp_path, check=False, timeout=30)
    assert (done.returncode, starts(tmp_path)) == (3, 1)


def test_the_engines_stop_reaches_the_emulator(
    launcher: Callable[[str], list[str]], tmp_path: Path
) -> None:
    emulator = "trap 'echo told > stopped; exit 0' TERM; while :; do sleep 0.1; done"
    with subprocess.Popen(launcher(emulator), cwd=tmp_path) as process:
        while not starts(tmp_path):
            time.sleep(0.05)
        time.sleep(0.2)
        process.terminate()
        assert process.wait(timeout=30) == 0
    assert (tmp_path / "stopped").read_text() == "told\n"
    assert starts(tmp_path) == 1
