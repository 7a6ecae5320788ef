"""Statistics over step times. PyTorch is not needed."""

from __future__ import annotations

import math
from collections.abc import Sequence


def quantile(values: Sequence[float], q: float) -> float:
    """Quantile by linear interpolation between the closest ranks (numpy's default method).

    Args:
        values: at least one number, in any order.
        q: 0 to 1.

    Raises:
        ValueError: ``values`` is empty.
    """
    if not values:
        msg = "no values to take a quantile of"
        raise ValueError(msg)
    ordered = sorted(values)
    rank = q * (len(ordered) - 1)
    low, high = math.floor(rank), math.ceil(rank)
    return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)


def mean(values: Sequence[float | None]) -> float | None:
    """Mean of the finite values (None stands for a loss that was not finite), or None."""
    finite = [value for value in values if value is not None]
    return sum(finite) / len(finite) if finite else None
