"""Guess which name was meant by a misspelt one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Name the closest known name, then all of them.

    Returns:
        For example ``did you mean 'fabric'? Known: edge, fabric``; ``none is declared`` when
        there is no name to choose from.
    """
    names = sorted(known)
    if not names:
        return "none is declared"
    closest = difflib.get_close_matches(given, names, n=1)
    listed = f"known: {', '.join(names)}"
    return f"did you mean '{closest[0]}'? {listed[0].upper()}{listed[1:]}" if closest else listed
