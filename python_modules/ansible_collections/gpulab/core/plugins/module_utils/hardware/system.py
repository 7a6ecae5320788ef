"""The node as a product: maker, model, serial number, from DMI or the device tree."""

from __future__ import annotations

from typing import Any

from .sysfs import Tree, first

_DMI = "sys/class/dmi/id"

# What firmware says when nobody filled the field in; compared in lower case.
_PLACEHOLDERS = frozenset(
    {
        "",
        "0",
        "0123456789",
        "123456789",
        "default string",
        "empty",
        "n/a",
        "na",
        "none",
        "not applicable",
        "not available",
        "not specified",
        "o.e.m.",
        "oem",
        "system manufacturer",
        "system product name",
        "system serial number",
        "to be filled by o.e.m.",
        "unknown",
    }
)


def read_system(tree: Tree) -> dict[str, Any]:
    """Return maker, product, serial numbers and firmware version; null where not readable.

    A node without DMI (many ARM boards) is described by its device tree. ``serial`` needs root
    on DMI machines.
    """
    return {
        "vendor": _dmi(tree, "sys_vendor"),
        "product": first((_dmi(tree, "product_name"), tree.text("proc/device-tree/model"))),
        "serial": first(
            (_dmi(tree, "product_serial"), tree.text("proc/device-tree/serial-number"))
        ),
        "board": _dmi(tree, "board_name"),
        "board_serial": _dmi(tree, "board_serial"),
        "firmware_version": _dmi(tree, "bios_version"),
    }


def stated(value: str | None) -> str | None:
    """Return what a firmware field says, or None where nobody filled it in."""
    return None if value is None or value.lower() in _PLACEHOLDERS else value


def _dmi(tree: Tree, name: str) -> str | None:
    return stated(tree.text(f"{_DMI}/{name}"))
