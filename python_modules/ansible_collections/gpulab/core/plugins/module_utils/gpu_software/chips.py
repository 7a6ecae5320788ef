"""Which chip a PCI device is: by the name in hardware/gpu_names.py, else by ranges of device ids.

Sources:
    Ranges: the PCI ID Repository, https://pci-ids.ucw.cz/, version 2026.08.22; NVIDIA gives each
        chip blocks of 64 or 128 ids, and every id there is of the chip that stands here.
    Compute capability: https://developer.nvidia.com/cuda-gpus and its legacy page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..hardware.gpu_names import NVIDIA_NAMES
from ..hardware.sysfs import parse_int


@dataclass(frozen=True)
class Chip:
    """One chip, or chips that need the same software.

    Attributes:
        names: beginnings of the chip's name, as in ``GA100 [A100 SXM4 80GB]``.
        architecture: key of `catalogue.ARCHITECTURES`.
        capability: compute capability, ``8.0``; "" where it could not be confirmed.
        ranges: first and last PCI device ids.
    """

    names: tuple[str, ...]
    architecture: str
    capability: str
    ranges: tuple[tuple[int, int], ...]


# The first chip whose name or range fits wins, so a whole family stands after its members.
CHIPS = (
    Chip(("GK107", "GK104", "GK106"), "kepler", "3.0", ((0x0FC0, 0x0FFF), (0x1180, 0x11FF))),
    Chip(("GK208",), "kepler", "3.5", ((0x1280, 0x12BF),)),
    Chip(("GK210",), "kepler", "3.7", ((0x102D, 0x102D),)),
    Chip(("GK110", "GK180"), "kepler", "3.5", ((0x1000, 0x103F),)),
    Chip(
        ("GM107", "GM108"),
        "maxwell",
        "5.0",
        ((0x1340, 0x13AC), (0x13B0, 0x13BD), (0x1740, 0x17BF)),
    ),
    Chip(
        ("GM200", "GM204", "GM206"),
        "maxwell",
        "5.2",
        ((0x13AD, 0x13AF), (0x13BE, 0x143F), (0x1600, 0x167F), (0x17C0, 0x17FF)),
    ),
    Chip(("GP100",), "pascal", "6.0", ((0x15C0, 0x15FF), (0x1725, 0x172F))),
    Chip(("GP10",), "pascal", "6.1", ((0x1B00, 0x1D7F),)),
    Chip(("GV100",), "volta", "7.0", ((0x1D80, 0x1DFF),)),
    Chip(("TU1",), "turing", "7.5", ((0x1E00, 0x1FFF), (0x2180, 0x21FF))),
    Chip(("GA100",), "ampere", "8.0", ((0x2080, 0x20FF),)),
    Chip(("GA10",), "ampere", "8.6", ((0x2200, 0x227F), (0x2400, 0x25FF))),
    Chip(("GH100",), "hopper", "9.0", ((0x2300, 0x23FF),)),
    Chip(("AD10",), "ada", "8.9", ((0x2680, 0x28FF),)),
    Chip(("GB100", "GB102"), "blackwell", "10.0", ((0x2900, 0x29FF),)),
    Chip(("GB110", "GB112"), "blackwell", "10.3", ((0x3180, 0x323F),)),
    Chip(("GB20B",), "blackwell", "12.1", ((0x2E00, 0x2E7F),)),
    Chip(("GB20",), "blackwell", "12.0", ((0x2B80, 0x2DFF), (0x2F00, 0x2F7F))),
    # GB120 (0x3340): in the repository, but its capability was not found.
    Chip(("GB",), "blackwell", "", ((0x3340, 0x3340),)),
)

# Grace Hopper is GH100 beside an Arm processor, and needs the open modules where other Hopper
# GPUs may have either. Its ids lie among GH100's.
GRACE_HOPPER = ((0x2342, 0x2343), (0x2345, 0x2345), (0x2348, 0x2348))
# HGX B200 and B300 boards: their NVSwitches are not on the host's bus, and their fabric manager
# works with nvlsm. GB200 and GB300 have their switches in the rack, and run nvidia-imex instead.
# (HGX by product name in the PCI ID Repository; 0x2920 and 0x29bc, named B100, are not confirmed.)
HGX_BLACKWELL = frozenset({0x2901, 0x2909, 0x2920, 0x29BC, 0x3182})
RACK_BLACKWELL = frozenset({0x2941, 0x31A1, 0x31C2, 0x31C3})


def identify(device_id: str | None, name: str | None = None) -> Chip | None:
    """Return the chip of a PCI device, or None: an id that nobody had told us of.

    Args:
        device_id: as sysfs writes it, ``0x20b5``.
        name: chip and [product] as in gpu_names; by default what that table says.
    """
    chip = re.match(r"[A-Z0-9]+", name or NVIDIA_NAMES.get(device_id or "", ""))
    if chip:
        for known in CHIPS:
            if chip.group().startswith(known.names):
                return known
    number = parse_int(device_id)
    for known in CHIPS:
        if number is not None and any(low <= number <= high for low, high in known.ranges):
            return known
    return None


def architecture_of(device_id: str | None, name: str | None = None) -> str | None:
    """Return the architecture of a PCI device, for example ``ampere``, or None."""
    chip = identify(device_id, name)
    return chip.architecture if chip else None


def is_grace_hopper(device_id: str | None) -> bool:
    """Return whether the GPU is the Hopper half of a Grace Hopper superchip."""
    number = parse_int(device_id)
    return number is not None and any(low <= number <= high for low, high in GRACE_HOPPER)


def is_hgx_blackwell(device_id: str | None) -> bool:
    """Return whether the GPU sits on a B200 or B300 board, whose fabric needs nvlsm."""
    return parse_int(device_id) in HGX_BLACKWELL


def is_rack_blackwell(device_id: str | None) -> bool:
    """Return whether the GPU is a GB200 or GB300, whose fabric needs nvidia-imex."""
    return parse_int(device_id) in RACK_BLACKWELL
