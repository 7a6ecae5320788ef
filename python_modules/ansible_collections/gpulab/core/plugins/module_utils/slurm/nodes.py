"""Read what Slurm says of its nodes. Pure: text goes in.

Slurm's own words, as ``scontrol --oneliner show nodes`` prints them (22.05 to 25.11): one line for
each node, a base state with flags behind ``+``, and a reason with its author and time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_NAME = re.compile(r"NodeName=(\S+)")
_STATE = re.compile(r" State=(\S+)")
_REASON = re.compile(r" Reason=(.*?) \[([^\[\]@]*)@([^\[\]]*)\](?= \w+=|\s*$)")
# scontrol(1), "show node": what may stand behind a state's name.
_MARKS = "*~#!%$@^-+"
# sinfo's words for the same are DRAINED and DRAINING; FAIL is a node that was given up by hand.
_OUT = frozenset({"DRAIN", "DRAINED", "DRAINING", "FAIL", "FAILING"})


@dataclass(frozen=True)
class Node:
    """One node as Slurm has it.

    Attributes:
        name: Slurm's name of it.
        states: Its base state and its flags, such as ``{"DOWN", "DRAIN"}``.
        reason: Why it is out; "" where Slurm has none.
        author: Who gave the reason; ``slurm`` for Slurm itself.
    """

    name: str
    states: frozenset[str]
    reason: str = ""
    author: str = ""

    @property
    def is_out(self) -> bool:
        """Whether it takes no new job until somebody says so.

        A node that is DOWN is not: Slurm takes it back by itself when it answers again.
        """
        return bool(self.states & _OUT)

    @property
    def said(self) -> str:
        """Its state and the reason, for people."""
        state = "+".join(sorted(self.states))
        return f"{state} ({self.reason})" if self.reason else state


def parse(text: str) -> dict[str, Node]:
    """Read the nodes.

    Raises:
        ValueError: a line is none of a node's.
    """
    found = {}
    for line in filter(str.strip, text.splitlines()):
        node = _node(line)
        if node is None:
            msg = f"this is no line of a node: {line[:200]!r}"
            raise ValueError(msg)
        found[node.name] = node
    return found


def find(name: str, nodes: Mapping[str, Node]) -> Node | None:
    """Return the node that the inventory calls so; Slurm mostly has the first label of it.

    Args:
        name: Of the inventory, such as ``gpu01.lab.example``.
        nodes: As Slurm has them.
    """
    return nodes.get(name) or nodes.get(name.partition(".")[0])


def _node(line: str) -> Node | None:
    name, state = _NAME.match(line), _STATE.search(line)
    if not name or not state:
        return None
    states = {word.strip(_MARKS) for word in state[1].split("+")}
    if "*" in state[1]:
        # The short form of the same.
        states.add("NOT_RESPONDING")
    # A reason may itself hold brackets, and words that look like another field's.
    reason = _REASON.search(line)
    return Node(
        name[1],
        frozenset(filter(None, states)),
        reason[1] if reason else "",
        reason[2] if reason else "",
    )
