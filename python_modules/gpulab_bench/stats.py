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


def median_interval(values: Sequence[float], level: float = 0.95) -> list[float] | None:
    """Confidence interval of the median, between two of the values; None with too few of them.

    Whatever the values' distribution: how many of n lie below the median is binomial, with a
    probability of one half (Conover, Practical Nonparametric Statistics, section 3.2). The interval
    is the narrowest symmetric one that holds the median with at least this probability; below six
    values there is none of 95 %.

    Args:
        values: measured one after the other, under the same conditions.
        level: probability that the interval holds the median.

    Returns:
        Its ends.
    """
    n, ordered = len(values), sorted(values)
    outside, found = 0.0, None
    for rank in range(n // 2):
        # Twice the chance of at most ``rank`` values below the median.
        outside += 2 * math.comb(n, rank) / 2**n
        if 1 - outside < level:
            break
        found = [ordered[rank], ordered[n - 1 - rank]]
    return found


def mean(values: Sequence[float | None]) -> float | None:
    """Mean of the finite values (None stands for a loss that was not finite), or None."""
    finite = [value for value in values if value is not None]
    return sum(finite) / len(finite) if finite else None
