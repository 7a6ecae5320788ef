"""Precision, recall and F1 from counts. Pure functions; PyTorch is not needed."""

from __future__ import annotations

from collections.abc import Sequence


def macro(
    right: Sequence[int], answered: Sequence[int], due: Sequence[int]
) -> tuple[float, float, float]:
    """Macro averages over the classes that occur among the answers or among what was due.

    A class that was never answered has a precision of 0, one that was never due a recall of 0, as
    scikit-learn has it by default.

    Args:
        right: per class, tokens that were answered with it, rightly.
        answered: per class, tokens that were answered with it.
        due: per class, tokens that should have been.

    Returns:
        Precision, recall, F1.

    Raises:
        ValueError: no class occurs.
    """
    precisions, recalls, f1s = [], [], []
    for hits, said, wanted in zip(right, answered, due):
        if not said and not wanted:
            continue
        precisions.append(hits / said if said else 0.0)
        recalls.append(hits / wanted if wanted else 0.0)
        f1s.append(2 * hits / (said + wanted))
    if not precisions:
        msg = "no class occurs"
        raise ValueError(msg)
    n = len(precisions)
    return sum(precisions) / n, sum(recalls) / n, sum(f1s) / n
