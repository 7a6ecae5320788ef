"""The physical part that a fault between nodes points to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..finding import part
from .localise import ALL, Blame
from .nodes import Node
from .observe import MEASURED, Seen

Hardware = Mapping[str, Any]


def link_part(blame: Blame, seen: Sequence[Seen], zone: str) -> dict[str, str]:
    """Return the way between nodes: their names and the zone, or the zone that all share."""
    if blame.kind == ALL:
        return part("link", zone or "network")
    names = sorted({node for each in seen for node, _ in each.path})
    if len(names) > len({node for node, _ in blame.ends}) > 1:
        names = sorted({node for node, _ in blame.ends})
    return part("link", f"{' - '.join(names)} ({zone})" if zone else " - ".join(names))


def end_part(
    name: str, node: Node, seen: Sequence[Seen], hardware: Hardware | None
) -> dict[str, str]:
    """Return a node's end of its cable: its card, or the node itself.

    It is the node where it did not take part at all, where its processor was the limit in every
    test, or where no interface is declared.

    Args:
        name: The node.
        node: What is declared of it.
        seen: The paths that the finding tells of.
        hardware: What ``hardware_info`` read of it, or None.
    """
    at_fault = [each for each in seen if each.ok is False]
    did_not_run = at_fault and all(each.symptom == MEASURED for each in at_fault)
    no_core_free = at_fault and all(name in each.busy for each in at_fault)
    if did_not_run or no_core_free or not node.interface:
        return part("node", name)
    read = _nic(hardware, node.interface)
    return part(
        "nic",
        node.interface,
        serial=read.get("mac") or node.mac,
        bdf=read.get("bdf"),
        slot=read.get("slot"),
        port=read.get("switch_port"),
    )


def _nic(hardware: Hardware | None, interface: str) -> Mapping[str, Any]:
    nics = (hardware or {}).get("nics") or []
    return next((nic for nic in nics if nic.get("name") == interface), {})
