"""Compare a CDI specification with what the driver shows.

``nvidia-ctk cdi generate`` names each GPU by index and UUID; of a GPU that is cut into MIG devices
it names these alone (``0:1``, ``MIG-…``), and of one in MIG mode without a device nothing.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_GPU = re.compile(r"^GPU (\d+): .*\(UUID: (GPU-[\w-]+)\)")
_MIG = re.compile(r"^\s+MIG .*Device\s+(\d+): \(UUID: (MIG-[\w-]+)\)")
_NAME = re.compile(r"^nvidia\.com/gpu=(\S+)$", re.MULTILINE)


class Device(NamedTuple):
    """What a container can get: a GPU, or a MIG device of one; ``place`` is ``0`` or ``0:1``."""

    place: str
    uuid: str


def parse_list(text: str) -> dict[str, list[Device]]:
    """Return UUID of a GPU → what of it a container can get, by ``nvidia-smi -L``.

    A line that names a GPU without a UUID is left out: what it is, nobody knows.
    """
    found: dict[str, list[Device]] = {}
    whole: dict[str, Device] = {}
    gpu = Device("", "")
    for line in text.splitlines():
        one, part = _GPU.match(line), _MIG.match(line)
        if one:
            gpu = Device(one[1], one[2])
            found[gpu.uuid], whole[gpu.uuid] = [], gpu
        elif part and gpu.uuid:
            found[gpu.uuid].append(Device(f"{gpu.place}:{part[1]}", part[2]))
    return {uuid: devices or [whole[uuid]] for uuid, devices in found.items()}


def parse_mig_modes(text: str) -> set[str]:
    """Return the UUIDs in MIG mode, by ``--query-gpu=uuid,mig.mode.current``, without a header."""
    rows = (line.split(",") for line in text.splitlines())
    return {row[0].strip() for row in rows if len(row) == 2 and row[1].strip() == "Enabled"}


def compare(listed: str, gpus: dict[str, list[Device]]) -> str:
    """Say how a specification differs from what the driver shows, or return "".

    Args:
        listed: what ``nvidia-ctk cdi list`` says.
        gpus: as `parse_list` returns them, without those that no container can get.
    """
    names = set(_NAME.findall(listed)) - {"all"}
    devices = [device for found in gpus.values() for device in found]
    by_uuid = any(name.startswith(("GPU-", "MIG-")) for name in names)
    wanted = {device.uuid if by_uuid else device.place for device in devices}
    there = {name for name in names if name.startswith(("GPU-", "MIG-")) is by_uuid}
    lacks, has = sorted(wanted - there), sorted(there - wanted)
    said = [
        *([f"lacks {', '.join(lacks)}"] if lacks else []),
        *([f"has {', '.join(has)}, which nvidia-smi -L does not"] if has else []),
    ]
    return " and ".join(said)
