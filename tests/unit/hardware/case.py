"""What a case of a check is: what makes it pass, fail and unknown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Change = Callable[[dict[str, Any]], None]
GIB = 1024**3


def put(*path: Any, value: object) -> Change:
    """Return a change of the facts that puts a value at a path."""

    def change(facts: dict[str, Any]) -> None:
        inner: Any = facts
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = value

    return change


def unread(section: str) -> Change:
    """Return the change that a failed probe makes."""

    def change(facts: dict[str, Any]) -> None:
        facts[section] = None
        facts["probes"][section] = {"status": "unknown", "reason": "it hung", "seconds": 5.0}

    return change


@dataclass(frozen=True)
class Case:
    """One check's requirement, what makes it fail, and what makes it unknown.

    Each of `fails` and `unreadable` is applied to the facts of a healthy node, which pass; for a
    check under load to a healthy node's telemetry.

    Attributes:
        spec: The requirement.
        fails: Changes, each of which makes it fail, or warn where the check can only warn.
        unreadable: Changes, each of which makes it unknown.
        machine: The healthy machine.
        formats: Nodes whose facts come in another format, and pass too.
    """

    spec: dict[str, Any]
    fails: tuple[Change, ...]
    unreadable: tuple[Change, ...]
    machine: str = "two-a100"
    formats: tuple[str, ...] = ()
