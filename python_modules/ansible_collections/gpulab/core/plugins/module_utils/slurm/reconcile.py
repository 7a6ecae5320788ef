"""Compare whom the lab has out of service with whom Slurm has drained. Pure.

A drain has one reason in Slurm, so the reason says whose it is. gpulab's begin with `OURS`; each
part of gpulab undoes its own. What anybody else gave as a reason stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from .nodes import Node, find

OURS = "gpulab:"
QUARANTINED = f"{OURS} quarantined"
MEASURING = f"{OURS} measuring"
# Of parts of gpulab that give back what they took, and when they are done.
_GIVEN_BACK_BY_OTHERS = (f"{OURS} driver upgrade", f"{OURS} power", f"{OURS} cooling")
# Slurm's own limit is 64 KiB; a reason is read in a table.
_REASON_MAX = 160


@dataclass(frozen=True)
class Change:
    """What to tell Slurm of a node.

    Attributes:
        words: For ``scontrol update``; empty where nothing is to be done.
        said: What it is, for people.
        refused: Whether it should be done and cannot be.
        node: Slurm's name of the node, from `changes`.
    """

    words: tuple[str, ...]
    said: str
    refused: bool = False
    node: str = ""


def reason(kind: str, why: str) -> str:
    """Return a reason in one line, of a length that fits a table."""
    text = " ".join(f"{kind}: {why}".split())
    return text if len(text) <= _REASON_MAX else f"{text[: _REASON_MAX - 1]}…"


def is_ours(node: Node) -> bool:
    """Return whether a part of gpulab gave the reason."""
    return node.reason.startswith(OURS)


def take_out(node: Node, why: str) -> Change:
    """Say how a node gets no further job.

    Args:
        node: As Slurm has it.
        why: The reason, with `OURS` before it.
    """
    drain = ("state=drain", f"reason={why}")
    if not node.is_out:
        if "DOWN" in node.states and node.author != "slurm" and node.reason and not is_ours(node):
            # Somebody took it down by hand, so it stays down until somebody takes it up by hand.
            return Change((), f"left as it is: {node.said}")
        return Change(drain, "drained")
    if is_ours(node) and why.startswith(QUARANTINED) and not node.reason.startswith(QUARANTINED):
        # Whoever drained it before gives back what has its own reason, and so not this.
        return Change((f"reason={why}",), "drained already; the reason is the quarantine now")
    return Change((), f"out already: {node.said}")


def give_back(node: Node, kind: str = "") -> Change:
    """Say how a node gets jobs again, where gpulab took it out.

    Args:
        node: As Slurm has it.
        kind: How the reason begins that is lifted; "" for all but those that their parts lift.
    """
    ours = node.reason.startswith(kind) if kind else is_ours(node)
    if not kind and node.reason.startswith(_GIVEN_BACK_BY_OTHERS):
        ours = False
    if not node.is_out or not ours:
        return Change((), f"left as it is: {node.said}")
    if "INVALID_REG" in node.states:
        told = (
            "Slurm refuses its registration (INVALID_REG): it has fewer GPUs, CPUs or less memory"
        )
        return Change((), f"{told} than slurm.conf or gres.conf says", refused=True)
    # `resume` would also take up a node that does not answer.
    word = "undrain" if "NOT_RESPONDING" in node.states else "resume"
    return Change((f"state={word}",), "resumed")


def changes(
    wanted: Mapping[str, str], nodes: Mapping[str, Node], *, lift: bool = True
) -> dict[str, Change]:
    """Compare all nodes.

    Args:
        wanted: Node → why it has to be out; "" where it may be in.
        nodes: As Slurm has them; others get no jobs anyway.
        lift: Whether nodes may be given back.

    Returns:
        Node → what to do, of the nodes that both know.
    """
    found: dict[str, Change] = {}
    for name, why in sorted(wanted.items()):
        node = find(name, nodes)
        if node is None:
            continue
        if why:
            found[name] = replace(take_out(node, why), node=node.name)
        elif lift:
            found[name] = replace(give_back(node), node=node.name)
    return found
