"""Memory modules and the slots that hold none, as the firmware lists them."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from .dmi import Record, read_records
from .sysfs import ProbeError
from .tools import RunTool

# DSP0134, 7.17 and 7.18.
_ARRAY, _DEVICE = 16, 17
_UNITS = {"kB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}
# Firmware's own chips, which some makers list among the modules.
_NO_MEMORY = ("Flash", "ROM", "EEPROM", "FEPROM", "EPROM")
_SOCKET = re.compile(r"(?:CPU|PROC|SOCKET|NODE|P)[ _#]?(\d{1,2})(?!\d)", re.IGNORECASE)
_CHANNEL = re.compile(
    r"CHAN(?:NEL)?[ _#-]?([A-Z]|\d{1,2})(?![A-Z])|DIMM[ _-]?([A-Z])[ _-]?\d", re.IGNORECASE
)


def read_dimms(run: RunTool) -> dict[str, Any]:
    """Return ``ecc`` (the arrays' error correction, in the firmware's words) and ``slots``.

    Raises:
        ProbeError: dmidecode can't be asked, or the firmware lists no memory slot.
    """
    records = read_records(run, _ARRAY, _DEVICE)
    slots = parse_slots(records)
    if not slots:
        raise ProbeError("dmidecode: the firmware lists no memory slot (SMBIOS type 17)")
    corrections = [
        record.get("Error Correction Type")
        for record in records
        if record.type == _ARRAY and record.fields.get("Use", "System Memory") == "System Memory"
    ]
    return {"ecc": corrections[0] if corrections else None, "slots": slots}


def parse_slots(records: list[Record]) -> list[dict[str, Any]]:
    """Return every slot; ``installed`` is null where the firmware does not tell the size.

    ``slot`` is its locator, with the bank before it where locators repeat (boards that count again
    for each processor). Speeds are transfers per second: dmidecode called them MHz before 3.2.
    """
    devices = [
        record
        for record in records
        if record.type == _DEVICE and record.fields.get("Type") not in _NO_MEMORY
    ]
    locators = Counter(record.fields.get("Locator", "") for record in devices)
    return [_slot(record, locators) for record in devices]


def _slot(record: Record, locators: Counter[str]) -> dict[str, Any]:
    locator, bank = record.get("Locator") or "", record.get("Bank Locator") or ""
    slot = f"{bank} {locator}".strip() if locators[locator] > 1 else locator or bank
    text = record.fields.get("Size", "")
    size = parse_size(text)
    installed = False if text == "No Module Installed" else None if size is None else size > 0
    fitted = installed is not False
    return {
        "slot": slot,
        "bank": bank or None,
        "channel": channel_of(locator, bank),
        "installed": installed,
        "size_bytes": size if fitted else None,
        "type": record.get("Type") if fitted else None,
        "rated_mts": parse_speed(record.fields.get("Speed")) if fitted else None,
        # "Clock" until dmidecode 3.1, "Memory" since.
        "configured_mts": parse_speed(
            record.get("Configured Memory Speed", "Configured Clock Speed")
        )
        if fitted
        else None,
        "manufacturer": record.get("Manufacturer") if fitted else None,
        "part_number": record.get("Part Number") if fitted else None,
        "serial": record.get("Serial Number") if fitted else None,
    }


def parse_size(text: str) -> int | None:
    """Return the bytes in ``16384 MB`` or ``16 GB``; None for ``Unknown`` and the like."""
    match = re.fullmatch(r"(\d{1,9}) ([kMGT])i?B", text, re.ASCII)
    return int(match.group(1)) * _UNITS[match.group(2) + "B"] if match else None


def parse_speed(text: str | None) -> int | None:
    """Return the MT/s in ``3200 MT/s`` or ``2133 MHz``; None for ``Unknown``."""
    match = re.match(r"(\d{1,6}) (?:MT/s|MHz)", text or "", re.ASCII)
    return int(match.group(1)) if match else None


def channel_of(locator: str, bank: str) -> str | None:
    """Return processor and channel that a slot hangs off (``0/A``), as far as its names tell.

    There is no field for it, and every board maker has names of their own: ``P1-DIMMA1``,
    ``CPU1_DIMM_A1``, ``P0_Node0_Channel0_Dimm0``, ``P0 CHANNEL A``.
    """
    for text in (bank, locator):
        channel = _CHANNEL.search(text)
        if channel:
            socket = _SOCKET.search(text) or _SOCKET.search(locator)
            name = (channel.group(1) or channel.group(2)).upper()
            return f"{socket.group(1) if socket else '0'}/{name}"
    return None
