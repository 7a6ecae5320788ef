"""Memory modules and the slots that hold none, as the firmware lists them."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from .dimm_names import channel_of
from .dmi import Record, read_records
from .sysfs import ProbeError
from .tools import RunTool

# DSP0134, 7.17 and 7.18.
_ARRAY, _DEVICE = 16, 17
_UNITS = {"kB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}
# Firmware's own chips, and persistent memory, which some makers list among the modules.
_NO_MEMORY = ("Flash", "ROM", "EEPROM", "FEPROM", "EPROM", "Logical non-volatile device")
# Stands for an array whose firmware does not tell.
_UNTOLD = "Unknown"


def read_dimms(run: RunTool) -> dict[str, Any]:
    """Return ``ecc`` and ``slots``.

    ``ecc`` is the error correction of the arrays of main memory, in the firmware's words: one for
    all that are alike, else each word once, with commas between; null where none tells.

    Raises:
        ProbeError: dmidecode can't be asked, or the firmware lists no memory slot.
    """
    records = read_records(run, _ARRAY, _DEVICE)
    slots = parse_slots(records)
    if not slots:
        raise ProbeError("dmidecode: the firmware lists no memory slot (SMBIOS type 17)")
    corrections = [
        record.choice("Error Correction Type") or _UNTOLD
        for record in records
        if record.type == _ARRAY and record.fields.get("Use", "System Memory") == "System Memory"
    ]
    told = set(corrections) - {_UNTOLD}
    return {"ecc": ", ".join(dict.fromkeys(corrections)) if told else None, "slots": slots}


def parse_slots(records: list[Record]) -> list[dict[str, Any]]:
    """Return every slot; ``installed`` is null where the firmware does not tell the size.

    ``slot`` is its locator, with the bank before it where locators repeat (boards that count again
    for each processor). Speeds are transfers per second: dmidecode called them MHz before 3.2.
    """
    devices = [record for record in records if record.type == _DEVICE and _is_memory(record)]
    locators = Counter(record.fields.get("Locator", "") for record in devices)
    return [_slot(record, locators) for record in devices]


def _is_memory(record: Record) -> bool:
    """Return whether a device is a module of main memory, or a slot for one.

    Persistent memory alone has a size that no part of is volatile (DSP0134, since 3.2).
    """
    lasting = parse_size(record.fields.get("Non-Volatile Size", ""))
    only_lasting = bool(lasting) and record.fields.get("Volatile Size") == "None"
    return record.fields.get("Type") not in _NO_MEMORY and not only_lasting


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
