"""Whole disks that are part of the node, SSD and HDD told apart, from sysfs and udev's records.

Nothing here opens a block device: a disk that hangs must not be touched to be listed.
"""

from __future__ import annotations

import re
from typing import Any

from .pci import slot_of
from .sysfs import ProbeError, Tree, first

_BLOCK = "sys/block"
# The unit of the kernel's `size`, whatever the disk's own sector size (Documentation/ABI).
_SECTOR = 512
# Not disks: CD drives, floppies, eMMC boot and replay areas, raw flash, network block devices.
_NOT_DISKS = re.compile(r"(sr|fd|mtdblock|nbd|rbd|drbd)\d+|mmcblk\d+(boot\d+|rpmb|gp\d+)")


def read_disks(tree: Tree) -> list[dict[str, Any]]:
    """Return the whole disks, sorted by name.

    Left out: virtual devices (loop, ram, zram, dm, md, zvol), so a RAID is counted by its members;
    media that are not inserted (size 0); hidden paths, and further paths to the same disk.

    ``kind`` is ``ssd``, ``hdd`` or ``unknown``, with ``kind_reason`` saying why it is unknown.

    Raises:
        ProbeError: There is no /sys/block.
    """
    if not tree.exists(_BLOCK):
        raise ProbeError(f"/{_BLOCK} is not readable")
    disks: list[dict[str, Any]] = []
    seen: set[tuple[str, int]] = set()
    for name in tree.names(_BLOCK):
        if not _is_disk(tree, name):
            continue
        disk = _read_disk(tree, name)
        identity = disk["wwn"]
        if identity and (identity, disk["size_bytes"]) in seen:
            continue
        seen.add((identity, disk["size_bytes"]))
        disks.append(disk)
    return disks


def _is_disk(tree: Tree, name: str) -> bool:
    path = f"{_BLOCK}/{name}"
    if _is_virtual(tree, name) or _NOT_DISKS.fullmatch(name) or tree.text(f"{path}/hidden") == "1":
        return False
    return tree.number(f"{path}/size") != 0


def _read_disk(tree: Tree, name: str) -> dict[str, Any]:
    path = f"{_BLOCK}/{name}"
    udev = _udev_record(tree, tree.text(f"{path}/dev"))
    transport = _transport(tree, name, udev)
    rotational = {"0": False, "1": True}.get(tree.text(f"{path}/queue/rotational") or "")
    kind, kind_reason = _kind(rotational, transport)
    sectors = tree.number(f"{path}/size")
    bdf = _pci_address(tree, name)
    bay = _bay(tree, name)
    return {
        "name": name,
        "kind": kind,
        "kind_reason": kind_reason,
        "rotational": rotational,
        "size_bytes": None if sectors is None else sectors * _SECTOR,
        "model": _model(tree, path, udev),
        "serial": _serial(tree, path, udev),
        "wwn": first((tree.text(f"{path}/wwid"), tree.text(f"{path}/device/wwid"))),
        "transport": transport,
        "removable": tree.text(f"{path}/removable") == "1",
        "bdf": bdf,
        "bay": bay,
        "slot": bay or slot_of(tree, bdf),
    }


def smart_names(tree: Tree) -> list[str]:
    """Return the names of the disks that can have SMART data, without reading a file of theirs."""
    return [
        name
        for name in tree.names(_BLOCK)
        # Not the hidden paths of a multipath NVMe disk (nvme0c0n1).
        if re.fullmatch(r"sd[a-z]+|nvme\d+n\d+", name) and not _is_virtual(tree, name)
    ]


def _is_virtual(tree: Tree, name: str) -> bool:
    real = tree.real(f"{_BLOCK}/{name}")
    # With native multipath an NVMe disk's name hangs off a virtual subsystem.
    return "/virtual/" in real and "/virtual/nvme-subsystem/" not in real


def _bay(tree: Tree, name: str) -> str | None:
    """Return the enclosure's name of the bay that a SAS or SATA disk sits in, where it has one."""
    prefix = "enclosure_device:"
    links = (entry for entry in tree.names(f"{_BLOCK}/{name}/device") if entry.startswith(prefix))
    return first(entry[len(prefix) :].strip() for entry in links)


def _kind(rotational: bool | None, transport: str | None) -> tuple[str, str | None]:
    """Return ssd, hdd or unknown, and for unknown the reason."""
    if rotational is None:
        return "unknown", "the kernel does not say whether it rotates"
    if transport == "virtio":
        return "unknown", "a virtual disk: virtio always says that it rotates"
    return ("hdd" if rotational else "ssd"), None


def _transport(tree: Tree, name: str, udev: dict[str, str]) -> str | None:
    """Return nvme, sata, sas, virtio, mmc, usb, iscsi or scsi; None if the name tells nothing."""
    for prefix, transport in (("nvme", "nvme"), ("mmcblk", "mmc"), ("vd", "virtio")):
        if name.startswith(prefix):
            return transport
    if not name.startswith("sd"):
        return None
    real = tree.real(f"{_BLOCK}/{name}")
    if re.search(r"/usb\d+/", real):
        return "usb"
    if re.search(r"/virtio\d+/", real):
        return "virtio"
    if re.search(r"/session\d+/", real):
        return "iscsi"
    # A SATA disk behind a SAS controller says so in its vendor field (SCSI/ATA translation).
    ata_vendor = tree.text(f"{_BLOCK}/{name}/device/vendor") == "ATA"
    if re.search(r"/ata\d+/", real) or ata_vendor or udev.get("ID_BUS") == "ata":
        return "sata"
    return "sas" if "/end_device-" in real else "scsi"


def _model(tree: Tree, path: str, udev: dict[str, str]) -> str | None:
    # udev has the whole name; SCSI's own field ends after 16 characters.
    return first(
        (
            udev.get("ID_MODEL", "").replace("_", " ").strip(),
            tree.text(f"{path}/device/model"),
            tree.text(f"{path}/device/name"),
        )
    )


def _serial(tree: Tree, path: str, udev: dict[str, str]) -> str | None:
    return first(
        (
            tree.text(f"{path}/device/serial"),
            tree.text(f"{path}/serial"),
            unit_serial(tree.data(f"{path}/device/vpd_pg80") or b""),
            udev.get("ID_SERIAL_SHORT"),
        )
    )


def unit_serial(page: bytes) -> str | None:
    """Return the serial number in a SCSI "unit serial number" page (SPC-4, 7.8.14), or None."""
    if len(page) < 4 or page[1] != 0x80:
        return None
    length = int.from_bytes(page[2:4], "big")
    serial = page[4 : 4 + length].decode("ascii", "replace").strip(" \0")
    return serial or None


def _udev_record(tree: Tree, device_number: str | None) -> dict[str, str]:
    """Return the properties in udev's record of a block device; empty if there is none."""
    if not device_number:
        return {}
    text = tree.text(f"run/udev/data/b{device_number}") or ""
    pairs = (line[2:].partition("=") for line in text.splitlines() if line.startswith("E:"))
    return {key: value for key, _, value in pairs}


def _pci_address(tree: Tree, name: str) -> str | None:
    """Return the address of the disk or of its controller."""
    path = f"{_BLOCK}/{name}"
    direct = tree.pci_address(path)
    if direct:
        return direct
    # The controllers of an NVMe subsystem are links beside its name.
    controllers = [
        entry for entry in tree.names(f"{path}/device") if re.fullmatch(r"nvme\d+", entry)
    ]
    return first(tree.pci_address(f"{path}/device/{entry}") for entry in controllers)
