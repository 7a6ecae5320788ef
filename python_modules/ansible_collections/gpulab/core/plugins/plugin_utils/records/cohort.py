"""Which nodes can be compared: those with the same parts, doing the same work on the same build."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from . import benchmark_result


def of(hardware: Mapping[str, Any] | None, result: Mapping[str, Any] | None) -> str:
    """Return the cohort's name, such as ``8 x NVIDIA H100 80GB HBM3, xs, torch 2.13.0``.

    Args:
        hardware: What ``hardware_info`` read; its GPUs, or without any its processor, are named.
        result: gpulab_bench's raw result.

    Returns:
        "" while neither is known.
    """
    parts = (
        _engine(hardware or {}),
        benchmark_result.preset(result),
        benchmark_result.method(result),
        benchmark_result.framework(result),
    )
    return ", ".join(part for part in parts if part)


def _engine(hardware: Mapping[str, Any]) -> str:
    driver = hardware.get("nvidia") or {}
    gpus = _counted(gpu.get("name") for gpu in driver.get("gpus") or hardware.get("gpus") or [])
    if gpus:
        return gpus
    cpu = hardware.get("cpu") or {}
    model = cpu.get("model") or cpu.get("architecture")
    return f"{cpu.get('cores') or '?'} cores {model}" if model else ""


def _counted(names: Iterable[str | None]) -> str:
    count = Counter(name for name in names if name)
    return ", ".join(f"{number} x {name}" for name, number in sorted(count.items()))
