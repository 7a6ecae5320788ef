"""Memory errors that the processor's memory controllers have counted since their driver started."""

from __future__ import annotations

import re
from typing import Any

from .sysfs import ProbeError, Tree

_CONTROLLERS = "sys/devices/system/edac/mc"
# Kernel, Documentation/admin-guide/RAS: `dimmN` (or `rankN`) since 3.6, `csrowN` before and beside.
_DIMM = re.compile(r"(?:dimm|rank)\d+")
_ROW = re.compile(r"csrow\d+")
_CHANNEL = re.compile(r"ch(\d+)_ce_count")


def read_edac(tree: Tree) -> list[dict[str, Any]]:
    """Return the memory controllers; empty where no EDAC driver is loaded.

    ``ue`` are uncorrected, ``ce`` corrected errors. ``dimms`` is empty where the driver does not
    tell the module.

    Raises:
        ProbeError: There is no /sys.
    """
    if not tree.exists("sys/devices"):
        raise ProbeError("/sys/devices is not readable")
    return [
        _controller(tree, f"{_CONTROLLERS}/{name}", name)
        for name in tree.names(_CONTROLLERS)
        if re.fullmatch(r"mc\d+", name)
    ]


def _controller(tree: Tree, path: str, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "driver": tree.text(f"{path}/mc_name"),
        "ue": tree.number(f"{path}/ue_count"),
        "ce": tree.number(f"{path}/ce_count"),
        "dimms": _dimms(tree, path) or _rows(tree, path),
    }


def _dimms(tree: Tree, path: str) -> list[dict[str, Any]]:
    return [
        {
            "label": tree.text(f"{path}/{name}/dimm_label") or None,
            "location": tree.text(f"{path}/{name}/dimm_location") or name,
            "ue": tree.number(f"{path}/{name}/dimm_ue_count"),
            "ce": tree.number(f"{path}/{name}/dimm_ce_count"),
        }
        for name in tree.names(path)
        if _DIMM.fullmatch(name)
    ]


def _rows(tree: Tree, path: str) -> list[dict[str, Any]]:
    """Return the modules by chip-select row and channel; uncorrected errors are by row only."""
    dimms: list[dict[str, Any]] = []
    for row in (name for name in tree.names(path) if _ROW.fullmatch(name)):
        channels = [_CHANNEL.fullmatch(name) for name in tree.names(f"{path}/{row}")]
        dimms += [
            {
                "label": tree.text(f"{path}/{row}/ch{match.group(1)}_dimm_label") or None,
                "location": f"{row} channel {match.group(1)}",
                "ue": tree.number(f"{path}/{row}/ue_count"),
                "ce": tree.number(f"{path}/{row}/{match.group()}"),
            }
            for match in channels
            if match
        ]
    return dimms
