"""What a case of a check is: what makes it pass, fail and unknown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Findings = list[dict[str, Any]]
# From an empty folder to all findings of one judgement, the check's among them.
Fixture = Callable[[Path], Findings]


@dataclass(frozen=True)
class Case:
    """A fixture for each answer of a check; a text instead says why it has no such answer.

    Attributes:
        passes: Everything is well.
        fails: It fails, or warns where it can only warn.
        unknown: It cannot be known.
    """

    passes: Fixture | str
    fails: Fixture | str
    unknown: Fixture | str
