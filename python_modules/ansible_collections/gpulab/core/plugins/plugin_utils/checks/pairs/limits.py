"""The option ``limits`` of the actions that judge node pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .observe import Limits

LIMITS = {
    "type": "dict",
    "default": {},
    "options": {"share_min": {"type": "float"}, "loss_percent_max": {"type": "float"}},
}


def limits_of(given: Mapping[str, Any]) -> Limits:
    """Return the limits; what is not given has its default.

    Raises:
        ValueError: one is out of range.
    """
    limits = Limits(**{name: value for name, value in given.items() if value is not None})
    share, loss = limits.share_min, limits.loss_percent_max
    if not 0 < share <= 1:
        raise ValueError(f"pairs_limits.share_min must be above 0 and at most 1, not {share}")
    if not 0 <= loss < 100:
        raise ValueError(f"pairs_limits.loss_percent_max must be from 0 to below 100, not {loss}")
    return limits
