"""An answer from the declaration, against what the nodes on the way have in their kernels. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .policy import Policy
from .reach import RECEIVER, ROUTER, SENDER, Answer, Side
from .show import answer_lines
from .strangers import named

#: Where a node meets the packet, by its role on the way.
_HOOKS = {
    SENDER: ("output", "postrouting", "egress"),
    ROUTER: ("ingress", "prerouting", "forward", "postrouting", "egress"),
    RECEIVER: ("ingress", "prerouting", "input"),
}
NOT_ASKED = (
    "  as declared; no machine was asked. With -e ask=true those on the way tell whether tables of "
    "others drop it"
)


def asked_lines(answer: Answer, told: Mapping[str, Mapping[str, Any]]) -> tuple[bool, list[str]]:
    """Tell an answer that the declaration says yes to, with what the nodes on the way said.

    Args:
        answer: what is declared.
        told: node → what ``gpulab.core.firewall_others`` returned, or ``msg`` where it failed.

    Returns:
        Whether it is certain, and the lines.
    """
    doubts = [doubt for side in answer.sides for doubt in _doubts(side, told.get(side.machine, {}))]
    lines = list(answer_lines(answer))
    if not doubts:
        return True, [*lines, "  no table of others on these machines drops anything there"]
    first = f"unknown: declared it is, but not certain: {answer.why}"
    return False, [first, *lines[1:], *(f"  but {doubt}" for doubt in doubts)]


def _doubts(side: Side, told: Mapping[str, Any]) -> Iterator[str]:
    who = f"{side.machine} ({side.role})"
    if "chains" not in told:
        yield f"{who} could not be asked: {told.get('msg') or 'it did not answer'}"
        return
    if told["unread"]:
        yield f"{who} does not tell all of it: {told['unread']}"
    for chain in told["chains"]:
        if chain["hook"] in _HOOKS[side.role]:
            how = "what it does not know" if chain["closed"] else "some packets"
            yield f"{who} drops {how} in {named(chain)}"


def machines_of(policy: Policy, answer: Answer) -> list[str]:
    """Name the nodes to ask; none where the declaration says no already."""
    names = [side.machine for side in answer.sides if side.machine in policy.nodes]
    return list(dict.fromkeys(names)) if answer.allowed else []
