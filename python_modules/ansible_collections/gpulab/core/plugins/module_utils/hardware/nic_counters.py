"""Errors, drops and lost links that the network cards have counted since their driver started."""

from __future__ import annotations

import time
from typing import Any

from .nics import is_physical
from .sysfs import ProbeError, Tree

# Long enough for a bad line under the traffic of a lab's own services to show.
PAUSE_S = 1.0
_NET = "sys/class/net"
# Kernel, Documentation/networking/statistics: frames that arrived broken or could not be sent over
# the line. Cable, transceiver or port.
LINE_ERRORS = ("rx_crc_errors", "rx_frame_errors", "tx_carrier_errors")
# All errors, whatever their cause, and what was dropped for want of room: a busy host does that.
_OTHERS = ("rx_errors", "tx_errors", "rx_dropped", "tx_dropped", "rx_missed_errors")
_COUNTERS = (*LINE_ERRORS, *_OTHERS)


def read_nic_counters(tree: Tree, pause_s: float) -> dict[str, Any]:
    """Read the counters of the physical interfaces twice.

    ``total`` is since the driver started, ``delta`` what came during the pause: a fault that is
    going on, as opposed to one of the past. ``link_losses`` counts how often the link went away.

    Raises:
        ProbeError: There is no /sys/class/net.
    """
    if not tree.exists(_NET):
        raise ProbeError(f"/{_NET} is not readable")
    names = [name for name in tree.names(_NET) if is_physical(tree, name)]
    before = {name: _read(tree, name) for name in names}
    if names:
        time.sleep(pause_s)
    nics = []
    for name in names:
        after = _read(tree, name)
        nics.append(
            {"name": name, "total": after, "delta": _difference(before[name], after)},
        )
    return {"pause_s": pause_s, "nics": nics}


def _read(tree: Tree, name: str) -> dict[str, int | None]:
    path = f"{_NET}/{name}"
    counters: dict[str, int | None] = {
        key: tree.number(f"{path}/statistics/{key}") for key in _COUNTERS
    }
    # Kernels before 4.16 tell only the sum of losses and returns.
    changes = tree.number(f"{path}/carrier_changes")
    losses: int | None = tree.number(f"{path}/carrier_down_count")
    if losses is None and changes is not None:
        losses = changes // 2
    return {**counters, "link_losses": losses}


def _difference(
    before: dict[str, int | None], after: dict[str, int | None]
) -> dict[str, int | None]:
    difference: dict[str, int | None] = {}
    for key, new in after.items():
        old = before[key]
        difference[key] = None if old is None or new is None else max(0, new - old)
    return difference
