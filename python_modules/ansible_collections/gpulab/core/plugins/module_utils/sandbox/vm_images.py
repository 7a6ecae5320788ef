"""The image that virtual machines start from: QEMU in a container, with the guest's disk inside.

A virtual machine lives in a container of the engine (its *chassis*), so that the engine's networks
and its ``rm`` serve both kinds of machine, and nothing of it runs on the host itself. The image
has two parts, both built from this host's own mirror:

- the chassis: QEMU and iproute2;
- ``/base/root.qcow2``: the same installation that container machines start from, plus a kernel
  and GRUB, on a disk with a boot sector. The firmware boots the disk like a server's, so the
  kernel, initramfs and command line that the guest itself installs are the ones that boot next.
"""

from __future__ import annotations

import hashlib
import platform
import tempfile
from pathlib import Path

from .engine import Engine
from .errors import SandboxError
from .images import (
    BUILD_TIMEOUT_S,
    CUSTOMIZE,
    PACKAGES,
    PREFIX,
    Recipe,
    mmdebstrap_command,
    run_as_root,
)
from .seed import File, pack

#: What a machine with a kernel and a disk of its own needs beyond ``images.PACKAGES``.
GUEST_PACKAGES = ("e2fsprogs", "grub-pc", "initramfs-tools", "kmod", "udev", "zstd")
#: What a distribution's installer brings, or a stage of site.yml would: it takes minutes to unpack
#: under emulation. That the roles install it is proved in containers.
INSTALLER_PACKAGES = (
    "curl",
    "dmidecode",
    "ethtool",
    "iperf3",
    "ipmitool",
    "iputils-ping",
    "locales",
    "pciutils",
    "smartmontools",
)
#: By distribution: the package that depends on the newest kernel without drivers for physical
#: hardware, and how the releases of such kernels end.
KERNELS = {
    "debian": ("linux-image-cloud-amd64", "cloud-amd64"),
    "ubuntu": ("linux-image-virtual", "generic"),
}
#: fdisk, e2fsprogs and qemu-utils make the guest's disk during the build.
CHASSIS_PACKAGES = ("e2fsprogs", "fdisk", "iproute2", "qemu-system-x86", "qemu-utils")
#: Size of the guest's disk, GiB; sparse, so only what is written takes space.
ROOT_GIB = 16
#: Where the firmware's tool hands the seed over (QEMU's documented place for users' own data:
#: ``opt/`` and a name of one's own, docs/specs/fw_cfg.rst).
SEED_FIRMWARE_NAME = "opt/gpulab/seed"
BASE_DISK = "/base/root.qcow2"

_SEED_UNIT = """\
[Unit]
Description=Install this machine's own keys and addresses on its first boot
DefaultDependencies=no
ConditionPathExists=!/var/lib/sandbox-seed/done
After=systemd-remount-fs.service
Before=sysinit.target systemd-tmpfiles-setup.service network-pre.target
Wants=network-pre.target

[Service]
Type=oneshot
ExecStart=/usr/local/sbin/sandbox-seed

[Install]
WantedBy=sysinit.target
"""

_SEED_SCRIPT = f"""\
#!/bin/sh
set -eu
modprobe qemu_fw_cfg
tar --extract --directory / --file /sys/firmware/qemu_fw_cfg/by_name/{SEED_FIRMWARE_NAME}/raw
hostname --file /etc/hostname
mkdir -p /var/lib/sandbox-seed
: > /var/lib/sandbox-seed/done
"""

#: Until the guest runs update-grub for the first time, its newest kernel is what the links that
#: the kernel packages keep point at.
_FIRST_GRUB_CONFIG = """\
serial --unit=0 --speed=115200
terminal_output serial
linux /vmlinuz root=LABEL=root ro console=ttyS0,115200 net.ifnames=0
initrd /initrd.img
boot
"""

#: Names like a container's (eth0, eth1, in the zones' order), and the kernel's words in the log of
#: the engine: Debian's default is quiet.
_GRUB_DEFAULTS = """\
GRUB_CMDLINE_LINUX_DEFAULT=""
GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX console=ttyS0,115200 net.ifnames=0"
GRUB_TERMINAL=serial
GRUB_TIMEOUT=0
"""

#: Under emulation each driver costs boot time: the initramfs has those of the disks alone.
_INITRAMFS_MODULES = "nvme\nsd_mod\nvirtio_blk\nvirtio_pci\nvirtio_scsi\n"

GUEST_FILES = {
    "etc/default/grub.d/50-sandbox.cfg": File(_GRUB_DEFAULTS.encode()),
    "etc/fstab": File(b"LABEL=root / ext4 errors=remount-ro 0 1\n"),
    "etc/initramfs-tools/conf.d/sandbox": File(b"MODULES=list\n"),
    "etc/systemd/system/sandbox-seed.service": File(_SEED_UNIT.encode()),
    "usr/local/sbin/sandbox-seed": File(_SEED_SCRIPT.encode(), 0o755),
    "usr/share/initramfs-tools/modules.d/sandbox": File(_INITRAMFS_MODULES.encode()),
    "boot/grub/grub.cfg": File(_FIRST_GRUB_CONFIG.encode()),
}

#: Jobs that would take the emulated processors for themselves right after the boot. Disabled, not
#: masked: a role may switch them on.
_NOT_AT_BOOT = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
)

#: Installs a kernel into the guest's new root, ``$1``, and what a server has that builds modules
#: for it: a compiler comes along, which takes minutes to unpack under emulation, too. Not the
#: newest, so that an upgrade of the kernel can be rehearsed: the one that the release came with
#: (what ``NEWEST`` depended on then), or where the archive has no such, the one before the newest.
#: In the root: apt from outside would call this host's dpkg.
KERNEL_HOOK = """\
set -eu
released=$(chroot "$1" apt-cache show "$NEWEST" |
    sed -n 's/^Depends:.*linux-image-\\([0-9][^ ,]*\\).*/\\1/p' | sort --version-sort --unique)
[ -n "$released" ] || { echo "the archive has no kernel by $NEWEST" >&2; exit 1; }
newest=$(echo "$released" | tail -n 1)
before=$(chroot "$1" apt-cache pkgnames linux-image- | sed 's/^linux-image-//' |
    grep -x "[0-9][0-9.]*[-+][0-9a-z]*-$FLAVOUR" | sort --version-sort |
    grep -x --before-context=1 --fixed-strings "$newest" | head -n 1)
kernel=$(printf '%s\\n' "$released" "$before" | grep -vx --fixed-strings "$newest" | head -n 1)
kernel=${kernel:-$newest}
chroot "$1" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \\
    "linux-image-$kernel" "linux-headers-$kernel" dkms
"""

#: Run in the guest's new root, ``$1``. What of GRUB the boot sector loads is installed here; an
#: upgrade of grub-pc leaves it alone, as it is told that no device is its to write.
GUEST_HOOK = f"""\
set -eu
tar --extract --directory "$1" --file "$GUEST_FILES"
chroot "$1" systemctl --quiet enable sandbox-seed.service systemd-networkd.service
chroot "$1" systemctl --quiet disable {" ".join(_NOT_AT_BOOT)}
chroot "$1" update-initramfs -u -k all
grub="$1/boot/grub/i386-pc"
mkdir -p "$grub"
cp "$1"/usr/lib/grub/i386-pc/*.mod "$1"/usr/lib/grub/i386-pc/*.lst "$grub/"
chroot "$1" grub-mkimage --format i386-pc --prefix "(,msdos1)/boot/grub" \\
    --output /boot/grub/i386-pc/core.img biosdisk part_msdos ext2 normal linux serial
echo "grub-pc grub-pc/install_devices_empty boolean true" | chroot "$1" debconf-set-selections
"""

#: Run in the chassis's new root, ``$1``: unpack the guest's root there, and make a disk of it by
#: the tools of the chassis. The code of a boot sector ends where its table of partitions has its
#: signature, at byte 440; the rest of the loader follows the sector.
CHASSIS_HOOK = f"""\
set -eu
mkdir -p "$1/base" "$1/guest"
tar --extract --directory "$1/guest" --file "$GUEST_ROOT" --numeric-owner \\
    --xattrs --xattrs-include="*"
chroot "$1" sh -eu <<'IN_CHASSIS'
disk=/base/root.raw
grub=/guest/boot/grub/i386-pc
truncate --size {ROOT_GIB}G "$disk"
echo 'start=2048, type=83, bootable' | sfdisk --quiet --label dos "$disk"
mke2fs -q -t ext4 -L root -E offset=1048576 -d /guest "$disk" {ROOT_GIB * 1024 * 1024 - 1024}k
dd if=/guest/usr/lib/grub/i386-pc/boot.img of="$disk" bs=440 count=1 conv=notrunc status=none
dd if="$grub/core.img" of="$disk" bs=512 seek=1 conv=notrunc status=none
qemu-img convert -O qcow2 "$disk" {BASE_DISK}
rm -rf "$disk" /guest
IN_CHASSIS
"""


def kernels(recipe: Recipe) -> tuple[str, str]:
    """Give the guest's entry of ``KERNELS``.

    Raises:
        SandboxError: when virtual machines cannot be made on this host; it says what would help.
    """
    found = KERNELS.get(recipe.name.partition("-")[0])
    if recipe.source != "packages" or found is None:
        msg = (
            "sandbox_kind vm needs an image source of packages on Debian or Ubuntu (mmdebstrap "
            f"builds the guest), not {recipe.source} of {recipe.name}: set "
            "sandbox_image_source=packages there, or use sandbox_kind container"
        )
        raise SandboxError(msg)
    if platform.machine() != "x86_64":
        msg = f"sandbox_kind vm emulates x86_64 hosts only; this one is {platform.machine()}"
        raise SandboxError(msg)
    return found


def reference(recipe: Recipe) -> str:
    """Give the image's reference in the engine's store: a hash of all that goes into it.

    Raises:
        SandboxError: as ``kernels`` does.
    """
    parts: list[str] = [recipe.text, *recipe.settings, *kernels(recipe)]
    parts += [*PACKAGES, *CUSTOMIZE, *GUEST_PACKAGES, *INSTALLER_PACKAGES, KERNEL_HOOK, GUEST_HOOK]
    parts += [*CHASSIS_PACKAGES, CHASSIS_HOOK]
    parts += [f"{name} {file.mode:o} {file.data.decode()}" for name, file in GUEST_FILES.items()]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
    return f"{PREFIX}vm-{recipe.name}:{digest}"


def chassis_command(recipe: Recipe, sources: Path, hook: str, target: Path) -> list[str]:
    """Compose the mmdebstrap call for the chassis."""
    return [
        "mmdebstrap",
        "--variant=minbase",
        f"--include={','.join(CHASSIS_PACKAGES)}",
        *(f"--aptopt={setting}" for setting in recipe.settings),
        f"--customize-hook={hook}",
        recipe.codename,
        str(target),
        str(sources),
    ]


def _with_variables(hook: str, **variables: Path | str) -> str:
    """Set a hook's variables; sudo would drop them from the environment."""
    return "".join(f'{name}="{value}"\n' for name, value in variables.items()) + hook


def build(engine: Engine, recipe: Recipe) -> None:
    """Make the image and put it into the engine's store (about two minutes on two cores).

    Raises:
        SandboxError: when a step fails; it carries the last lines that the step printed.
    """
    with tempfile.TemporaryDirectory(prefix="gpulab-vm-image-") as scratch:
        folder = Path(scratch)
        sources = folder / "sources.list"
        sources.write_text(recipe.text)
        guest_files = folder / "guest-files.tar"
        guest_files.write_bytes(pack(GUEST_FILES))
        guest, chassis = folder / "guest.tar", folder / "chassis.tar"
        newest, flavour = kernels(recipe)
        run_as_root(
            engine,
            mmdebstrap_command(
                recipe,
                sources,
                (*GUEST_PACKAGES, *INSTALLER_PACKAGES),
                (
                    _with_variables(KERNEL_HOOK, NEWEST=newest, FLAVOUR=flavour),
                    _with_variables(GUEST_HOOK, GUEST_FILES=guest_files),
                ),
                str(guest),
            ),
        )
        hook = _with_variables(CHASSIS_HOOK, GUEST_ROOT=guest)
        run_as_root(engine, chassis_command(recipe, sources, hook, chassis))
        engine.run("import", str(chassis), reference(recipe), timeout_s=BUILD_TIMEOUT_S)
