"""What the report reads out of gpulab_bench's raw result.

The result has a schema of its own (``gpulab_bench/schemas/result.schema.json``); a section that
the benchmark did not reach is null, and then so is what is read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def losses(result: Mapping[str, Any] | None) -> list[float | None]:
    """Return the training loss of each step, ``None`` where it was not finite; [] without any."""
    training = (result or {}).get("training") or {}
    return list(training.get("losses") or [])


def preset(result: Mapping[str, Any] | None) -> str:
    """Return the preset's name, or ""."""
    return str((result or {}).get("preset") or "")


def method(result: Mapping[str, Any] | None) -> str:
    """Return how it was measured, such as ``method 2``; "" of the first one and of none."""
    number = (result or {}).get("method") or 1
    return "" if number == 1 else f"method {number}"


def framework(result: Mapping[str, Any] | None) -> str:
    """Return the framework with its build, such as ``torch 2.13.0+cpu``, or ""."""
    version = ((result or {}).get("environment") or {}).get("torch")
    return f"torch {version}" if version else ""


def step_seconds(result: Mapping[str, Any] | None) -> list[float]:
    """Return the seconds of each timed step, in order; [] where single steps were not kept.

    The first steps pay for allocation and compilation. They are left out, as they are out of
    ``step_s``.
    """
    training = (result or {}).get("training") or {}
    kept = list(training.get("step_seconds") or [])
    if len(kept) == training.get("steps_done"):
        kept = kept[training.get("warmup_steps") or 0 :]
    return [float(second) for second in kept if second is not None]


def step_summary(result: Mapping[str, Any] | None) -> tuple[float, float] | None:
    """Return the median and the 95th percentile of a step's seconds, or None."""
    times = ((result or {}).get("training") or {}).get("step_s") or {}
    median, p95 = times.get("median"), times.get("p95")
    return None if median is None or p95 is None else (float(median), float(p95))
