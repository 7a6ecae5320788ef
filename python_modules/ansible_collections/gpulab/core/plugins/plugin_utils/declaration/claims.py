"""Find what two owners claim although only one can have it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from .model import Path, Problem, spell


@dataclass(frozen=True)
class Claim:
    """One owner's claim to a value.

    Attributes:
        value: what is claimed, in a form in which equal things are equal.
        owner: the node, or "" for the lab.
        path: the key that makes the claim.
        shown: the value as the message shows it.
    """

    value: Hashable
    owner: str
    path: Path
    shown: str


def conflicts(claims: Iterable[Claim], right: str) -> list[Problem]:
    """Report every claim to a value that an earlier claim has taken."""
    first: dict[Hashable, Claim] = {}
    problems = []
    for claim in claims:
        holder = first.setdefault(claim.value, claim)
        if holder is not claim:
            where = ": ".join(filter(None, (holder.owner, spell(holder.path))))
            wrong = f"{claim.shown} is already taken by {where}"
            problems.append(Problem(claim.owner, claim.path, wrong, right))
    return problems
