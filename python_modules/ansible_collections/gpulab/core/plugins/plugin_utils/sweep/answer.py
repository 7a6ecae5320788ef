"""What came of asking a node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What came of asking a node.

    Attributes:
        hardware: The facts; None without an answer.
        as_root: Whether root read them.
        reason: Why there is no answer, in words.
        unreachable: There was not even a connection.
        seconds: How long it took.
    """

    hardware: dict[str, Any] | None
    as_root: bool
    reason: str
    unreachable: bool
    seconds: float
