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


def framework(result: Mapping[str, Any] | None) -> str:
    """Return the framework with its build, such as ``torch 2.13.0+cpu``, or ""."""
    version = ((result or {}).get("environment") or {}).get("torch")
    return f"torch {version}" if version else ""
