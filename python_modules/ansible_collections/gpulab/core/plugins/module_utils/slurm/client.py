"""Ask and tell Slurm, by its own commands on the head."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from ..process import call
from .nodes import Node, parse

# A controller that is not there is waited for 9 s by scontrol itself (measured, 22.05).
TIMEOUT_S = 15.0
# All states in which a job has the node's GPUs, or is about to.
_JOB_STATES = "configuring,running,suspended,completing,stopped"


class SlurmError(Exception):
    """Slurm did not answer, or refused; the text has its words."""


def is_there() -> bool:
    """Return whether this node has Slurm's commands."""
    return shutil.which("scontrol") is not None


def nodes() -> dict[str, Node]:
    """Ask once for all nodes.

    Raises:
        SlurmError: it did not answer, or in words that are not known.
    """
    try:
        return parse(_said("scontrol", "--oneliner", "show", "nodes"))
    except ValueError as error:
        raise SlurmError(str(error)) from error


def jobs(node: str) -> list[str]:
    """Return the jobs that have a node, such as ``17 of alice``.

    Raises:
        SlurmError: it did not answer.
    """
    said = _said(
        *("squeue", "--noheader", f"--nodelist={node}", f"--states={_JOB_STATES}"),
        "--format=%i of %u",
    )
    return [line.strip() for line in said.splitlines() if line.strip()]


def update(node: str, changes: Sequence[str]) -> None:
    """Change a node.

    Args:
        node: Its name.
        changes: Such as ``["state=drain", "reason=..."]``.

    Raises:
        SlurmError: it refused.
    """
    _said("scontrol", "update", f"nodename={node}", *changes)


def _said(*command: str) -> str:
    status, said = call(*command, timeout_s=TIMEOUT_S)
    if status:
        msg = f"{' '.join(command[:3])}: {said or f'exit status {status}'}"
        raise SlurmError(msg)
    return said
