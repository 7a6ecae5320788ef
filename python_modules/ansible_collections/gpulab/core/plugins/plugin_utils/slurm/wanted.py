"""Which nodes have to be out of service in Slurm, by their admission. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...module_utils.slurm.reconcile import OURS, QUARANTINED, reason
from ..admission.admission import QUARANTINED as IN_QUARANTINE
from ..admission.admission import UNVERIFIED

_UNVERIFIED = f"{OURS} unverified"


def wanted(entries: Mapping[str, Mapping[str, Any]], names: list[str]) -> dict[str, str]:
    """Say why each node has to be out.

    A node that no record has ever passed is out: it has to prove itself before it gets jobs. One
    that has passed and whose record is too old, or that a later run left in doubt, keeps its jobs:
    its acceptance is due, and nothing is known against it.

    Args:
        entries: Node → its ``state``, ``reason`` and ``passed_at``.
        names: The nodes that Slurm may know.

    Returns:
        Node → the reason for Slurm; "" where it may be in.
    """
    return {name: _why(entries[name]) for name in names if name in entries}


def _why(entry: Mapping[str, Any]) -> str:
    if entry["state"] == IN_QUARANTINE:
        return reason(QUARANTINED, str(entry["reason"]))
    if entry["state"] == UNVERIFIED and not entry["passed_at"]:
        return reason(_UNVERIFIED, "no record of it has passed yet")
    return ""
