"""What a node's disks and network moved while it trained, as metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# id after its prefix, unit, path below the window, and what makes its bytes per second the unit:
# 1e6 bytes are 1 MB, 1e9 / 8 bytes are 1 Gb.
_MOVED = (
    ("disk_read", "MB/s", ("disk", "read_bytes"), 1e6),
    ("disk_write", "MB/s", ("disk", "written_bytes"), 1e6),
    ("network_received", "Gb/s", ("network", "received_bytes"), 1e9 / 8),
    ("network_sent", "Gb/s", ("network", "sent_bytes"), 1e9 / 8),
)


def in_training(window: object, prefix: str) -> list[dict[str, Any]]:
    """Return what a node moved per second while it trained; null where that is not known.

    Args:
        window: Of the benchmark's documents: ``seconds``, and the bytes of ``disk`` and
            ``network`` meanwhile.
        prefix: Of the metrics' names, ``train`` or ``ddp``.
    """
    seconds = _number(window, "seconds")
    metrics = []
    for name, unit, path, divisor in _MOVED:
        moved = _number(window, *path)
        rate = None if moved is None or not seconds else moved / seconds / divisor
        blank = dict.fromkeys(("n", "p50", "p95", "p99", "baseline", "z"))
        metrics.append(
            {"id": f"{prefix}.{name}", "scope": "node", "value": rate, "unit": unit, **blank}
        )
    return metrics


def _number(found: object, *path: str) -> float | None:
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, (int, float)) and not isinstance(found, bool) else None
