"""Sandbox machines of the kind ``vm``: QEMU in a container, under software emulation.

A virtual machine has what a container lacks: a kernel, initramfs, firmware and disks of its own,
real reboots, and serial numbers. It costs minutes where a container costs seconds, so a lab gives
the kind to the few machines that need it.

Everything of the machine is in its container: the disks lie in the container's writable layer, the
console is the container's log, a reset starts QEMU anew, and a power-off ends the container. Pure:
``containers`` creates, starts and removes it like any other.
"""

from __future__ import annotations

import ipaddress
import re
import uuid
from pathlib import Path

from . import networks
from .errors import SandboxError
from .plan import Machine, Plan
from .seed import ACCESS_FOLDERS, File, access_files, pack
from .vm_images import BASE_DISK, SEED_FIRMWARE_NAME

#: Where the guest's seed and the launcher lie in the container.
SEED_FILE = "sandbox/seed.tar"
LAUNCHER = "sandbox/launch-vm"
#: Where QEMU notes a power-off of the guest, in the container.
_POWER_OFF = "/run/power-off"
#: The least that Debian's kernel with an initramfs boots in.
MINIMUM_MEMORY_MIB = 512
#: NVMe has 20 characters for a serial number (NVM Express base specification, Identify
#: Controller); a comma would end the option of QEMU's.
_SERIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,19}")
_DISK_KINDS = ("ssd", "hdd")
_TUN = Path("/dev/net/tun")
#: All that the emulator can do, less what only costs time here: a fifth level of page tables,
#: nested virtualization (the guest would load KVM), and checks at each entry to the kernel.
_CPU = "max,-la57,-svm,-smap,-smep"

#: Network cards are found by the address that the engine gave the container: unlike the order
#: of its interfaces, that is certain. The address itself is the guest's, so the container drops it.
#: A reset ends QEMU, and the next QEMU boots as from power on: after a reset within one process the
#: boot loader of QEMU 7.2 reads the kernel five to ten times as slowly. A signal that is trapped
#: ends the script's wait, not QEMU; hence the second one.
_LAUNCHER_SCRIPT = f"""\
#!/bin/sh
# launch-vm [nic=ADDRESS,TAP | disk=FILE,SIZE]... -- COMMAND...
set -eu
mkdir -p /disks
while [ "$1" != -- ]; do
    value=${{1#*=}}
    first=${{value%,*}}
    second=${{value#*,}}
    case $1 in
        nic=*)
            link=$(ip -oneline address | awk -v a="$first" '{{ split($4, p, "/") }}
                p[1] == a {{ print $2; exit }}')
            [ -n "$link" ] || {{ echo "no interface has the address $first" >&2; exit 1; }}
            ip address flush dev "$link"
            ip link add "br-$second" type bridge stp_state 0 forward_delay 0 mcast_snooping 0
            ip tuntap add "$second" mode tap
            mtu=$(cat "/sys/class/net/$link/mtu")
            for device in "$link" "$second"; do
                ip link set "$device" mtu "$mtu" master "br-$second" up
            done
            ip link set "br-$second" up
            ;;
        disk=*)
            [ -e "$first" ] || truncate --size "$second" "$first"
            ;;
    esac
    shift
done
shift
[ -e /disks/root.qcow2 ] || qemu-img create -q -f qcow2 -F qcow2 -b {BASE_DISK} \\
    /disks/root.qcow2
rm -f {_POWER_OFF}
emulator= stopped=
trap 'stopped=yes; kill "$emulator"' TERM
while [ -z "$stopped" ] && [ ! -s {_POWER_OFF} ]; do
    "$@" &
    emulator=$!
    status=0
    wait "$emulator" || status=$?
    [ -n "$stopped" ] || [ "$status" = 0 ] || exit "$status"
done
wait
"""


def check(machine: Machine) -> None:
    """Refuse a declaration that QEMU would refuse with words of its own.

    Raises:
        SandboxError: it names the variable and what would be right.
    """
    if machine.memory_mib < MINIMUM_MEMORY_MIB:
        msg = (
            f"{machine.name}: sandbox_memory_mib is {machine.memory_mib}: a virtual machine needs "
            f"at least {MINIMUM_MEMORY_MIB}"
        )
        raise SandboxError(msg)
    if machine.cpus < 1:
        msg = f"{machine.name}: sandbox_cpus is {machine.cpus}: at least 1"
        raise SandboxError(msg)
    serials = [str(disk.get("serial", "")) for disk in machine.disks]
    for disk, serial in zip(machine.disks, serials):
        where = f"{machine.name}: sandbox_disks {serial or disk!r}"
        if not _SERIAL.fullmatch(serial):
            msg = f"{where}: serial must be 1 to 20 letters, digits, dots, dashes or underscores"
            raise SandboxError(msg)
        if serials.count(serial) > 1 or serial == root_serial(machine):
            msg = f"{where}: another disk of this machine has that serial"
            raise SandboxError(msg)
        if int(disk.get("size_gib", 0)) < 1:
            msg = f"{where}: size_gib must be 1 or more"
            raise SandboxError(msg)
        if disk.get("kind") not in _DISK_KINDS:
            msg = f"{where}: kind must be one of {', '.join(_DISK_KINDS)}"
            raise SandboxError(msg)


def check_host(engine_name: str, tun: Path = _TUN) -> None:
    """Refuse a host that cannot give a virtual machine its network.

    Raises:
        SandboxError: when the engine is not podman (docker answers the names of its networks
            inside a container only, out of the guest's reach), or there is no ``/dev/net/tun``.
    """
    if engine_name != "podman":
        msg = (
            f"sandbox_kind vm needs podman; this host has {engine_name}: install podman 4.0 or "
            "newer, or use sandbox_kind container"
        )
        raise SandboxError(msg)
    if not tun.exists():
        msg = (
            f"{tun} is missing, which connects virtual machines to the zones' networks: "
            "`modprobe tun` as root on this host, or use sandbox_kind container"
        )
        raise SandboxError(msg)


def root_serial(machine: Machine) -> str:
    """Give the serial number of the disk that the system is on."""
    return f"root-{machine.name}"[:20]


def interfaces(machine: Machine) -> dict[str, str]:
    """Say which interface carries which zone: interface → zone.

    The guest names its cards in the order of their slots, which is the zones' order.
    """
    return {f"eth{index}": zone for index, zone in enumerate(machine.zones)}


def _disk_file(serial: str) -> str:
    return f"/disks/{serial}.raw"


def qemu_command(lab: str, machine: Machine) -> list[str]:
    """Compose QEMU's command line.

    The system's disk is a SCSI disk that says it does not turn; with an NVMe drive the boot loader
    of QEMU 7.2 hangs in the initramfs after a reboot. Of the extra disks ``ssd`` is an NVMe drive,
    ``hdd`` a SCSI disk that says it turns 7200 times a minute.
    """
    arguments = [
        "qemu-system-x86_64",
        "-name", machine.name,
        "-nodefaults", "-no-user-config",
        "-machine", "q35",
        "-action", "reboot=shutdown",
        "-trace", f"enable=qemu_system_shutdown_request,file={_POWER_OFF}",
        "-accel", "tcg,thread=multi",
        "-cpu", _CPU,
        "-smp", str(machine.cpus),
        "-m", str(machine.memory_mib),
        "-display", "none",
        "-serial", "stdio",
        "-uuid", str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{machine.name}.{lab}")),
        "-smbios", f"type=1,manufacturer=QEMU,product=sandbox,serial=vm-{machine.name}",
        "-fw_cfg", f"name={SEED_FIRMWARE_NAME},file=/{SEED_FILE}",
        "-device", "virtio-rng-pci",
        "-device", "virtio-scsi-pci,id=scsi",
    ]  # fmt: skip
    for index, zone in enumerate(machine.zones):
        card = networks.mac(lab, machine.name, zone)
        arguments += [
            "-netdev", f"tap,id=net{index},ifname=tap{index},script=no,downscript=no",
            "-device", f"virtio-net-pci,netdev=net{index},mac={card}",
        ]  # fmt: skip
    root = f"drive=root,bootindex=0,serial={root_serial(machine)}"
    # Losing the host loses the sandbox anyway, so the host need not be waited for (cache=unsafe).
    arguments += [
        "-drive", "if=none,id=root,format=qcow2,cache=unsafe,discard=unmap,file=/disks/root.qcow2",
        "-device", f"scsi-hd,bus=scsi.0,rotation_rate=1,{root}",
    ]  # fmt: skip
    for index, disk in enumerate(machine.disks):
        file = _disk_file(disk["serial"])
        device = "nvme" if disk["kind"] == "ssd" else "scsi-hd,bus=scsi.0,rotation_rate=7200"
        arguments += [
            "-drive", f"if=none,id=disk{index},format=raw,cache=unsafe,discard=unmap,file={file}",
            "-device", f"{device},drive=disk{index},serial={disk['serial']}",
        ]  # fmt: skip
    return arguments


def container_options() -> list[str]:
    """Give what the chassis may do beyond a plain container: its own bridges and taps."""
    return ["--cap-add", "NET_ADMIN", "--device", str(_TUN)]


def container_command(lab: str, machine: Machine, plan: Plan) -> list[str]:
    """Compose what the chassis runs: the launcher, then QEMU."""
    addresses = plan.addresses[machine.name]
    return [
        f"/{LAUNCHER}",
        *(f"nic={addresses[zone]},tap{index}" for index, zone in enumerate(machine.zones)),
        *(f"disk={_disk_file(disk['serial'])},{disk['size_gib']}G" for disk in machine.disks),
        "--",
        *qemu_command(lab, machine),
    ]


def network_files(
    lab: str, machine: Machine, plan: Plan, outside: frozenset[str]
) -> dict[str, File]:
    """Give the guest's name, addresses, default route and resolver.

    The first zone that reaches the outside gives the route and the resolver, as in a container.
    """
    addresses = plan.addresses[machine.name]
    gateway = next((plan.gateway(zone) for zone in machine.zones if zone in outside), None)
    resolver = f"nameserver {gateway}\n" if gateway else "# None of the zones has one.\n"
    texts = {
        "etc/resolv.conf": resolver,
        "etc/hostname": f"{machine.name}\n",
        "etc/hosts": (
            f"127.0.0.1 localhost\n::1 localhost\n{addresses[machine.zones[0]]} {machine.name}\n"
        ),
    }
    for zone in machine.zones:
        length = ipaddress.ip_network(plan.subnets[zone]).prefixlen
        lines = [
            "[Match]",
            f"MACAddress={networks.mac(lab, machine.name, zone)}",
            "[Network]",
            f"Address={addresses[zone]}/{length}",
            f"Address={plan.address6(machine.name, zone)}/64",
            # Nobody advertises a router here: waiting for one would only delay the start.
            "IPv6AcceptRA=no",
        ]
        if gateway == plan.gateway(zone):
            lines += [f"Gateway={gateway}", f"Gateway={plan.gateway6(zone)}"]
        texts[f"etc/systemd/network/20-{zone}.network"] = "\n".join([*lines, ""])
    return {name: File(text.encode()) for name, text in texts.items()}


def seed_archive(
    lab: str,
    machine: Machine,
    plan: Plan,
    outside: frozenset[str],
    host_keys: Path,
    authorized_key: str,
) -> bytes:
    """Pack what a virtual machine must have before its first boot as a tar archive of ``/``.

    That is the ``/`` of its container; the guest unpacks the archive in it by itself. The launcher
    comes this way too, so that a change of it needs no new image.
    """
    files = access_files(host_keys, authorized_key)
    files.update(network_files(lab, machine, plan, outside))
    return pack(
        {
            LAUNCHER: File(_LAUNCHER_SCRIPT.encode(), 0o755),
            SEED_FILE: File(pack(files, ACCESS_FOLDERS), 0o600),
        }
    )
