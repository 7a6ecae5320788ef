"""Expansion slots as printed on the board, and the PCI functions that sit in them."""

from __future__ import annotations

import re
from typing import Any

from .dmi import read_records
from .pci import bridges_above, devices
from .sysfs import Tree
from .tools import RunTool

# DSP0134, 7.10: System Slots.
_SLOT = 9
_ADDRESS = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
# What firmware writes for a slot that is no PCI slot or has no address.
_NO_ADDRESS = ("0000:ff:1f.7", "0000:00:00.0")


def read_slots(tree: Tree, run: RunTool) -> list[dict[str, Any]]:
    """Return the slots with their name, PCI address and the functions in them.

    Firmware gives the address of the card or of the port above it, depending on its maker, so a
    function belongs to the nearest slot whose address it has or hangs off.

    Raises:
        ProbeError: dmidecode can't be asked.
    """
    slots: list[dict[str, Any]] = [
        {
            "name": record.get("Designation") or "",
            "type": record.get("Type"),
            "in_use": {"In Use": True, "Available": False}.get(
                record.fields.get("Current Usage", "")
            ),
            "bdf": _address(record.get("Bus Address")),
            "devices": [],
        }
        for record in read_records(run, _SLOT)
    ]
    by_device = {slot["bdf"].rpartition(".")[0]: slot for slot in slots if slot["bdf"]}
    for bdf in devices(tree) if by_device else ():
        for address in (bdf, *reversed(bridges_above(tree, bdf))):
            slot = by_device.get(address.rpartition(".")[0])
            if slot is not None:
                slot["devices"].append(bdf)
                break
    return slots


def _address(text: str | None) -> str | None:
    address = (text or "").lower()
    return address if _ADDRESS.fullmatch(address) and address not in _NO_ADDRESS else None
