"""Numbers of a run for the record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.gpulab.core.plugins.module_utils.smoke.result import (
    number_at,
    section_at,
    text_at,
)

# id, unit, path in the document.
_METRICS = (
    ("train.tokens_per_s", "1/s", ("training", "tokens_per_s")),
    ("train.epoch_s", "s", ("training", "epoch_s")),
    ("train.loss_first", "nat", ("training", "loss_first")),
    ("train.loss_last", "nat", ("training", "loss_last")),
    ("train.nonfinite_steps", "steps", ("training", "nonfinite_steps")),
    ("accuracy.exact_match", "", ("evaluation", "exact_match")),
    ("accuracy.token", "", ("evaluation", "token_accuracy")),
    ("memory.host_peak", "B", ("memory", "host_peak_bytes")),
    ("memory.gpu_peak", "B", ("memory", "gpu_peak_bytes")),
)


def scope_of(result: Mapping[str, Any]) -> str:
    """Return what the numbers belong to: ``gpu:UUID``, ``cpu``, or ``node`` if unknown."""
    uuid = text_at(result, "device", "uuid")
    return f"gpu:{uuid}" if uuid else text_at(result, "device", "type") or "node"


def metrics_of(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the metrics that the run has; what it did not measure is left out.

    Args:
        result: the document of gpulab_bench.

    Returns:
        Mappings ``id, scope, value, unit, n, p50, p95``; the last three are null for a number that
        is no statistic.
    """
    scope = scope_of(result)
    metrics = [
        _metric(name, scope, number_at(result, *path), unit) for name, unit, path in _METRICS
    ]
    step = section_at(result, "training", "step_s")
    median, p95 = number_at(step, "median"), number_at(step, "p95")
    count = number_at(step, "n")
    metrics.append(_metric("train.step_s", scope, median, "s", n=count, p50=median, p95=p95))
    return [metric for metric in metrics if metric["value"] is not None]


def _metric(
    name: str,
    scope: str,
    value: float | None,
    unit: str,
    *,
    n: float | None = None,
    p50: float | None = None,
    p95: float | None = None,
) -> dict[str, Any]:
    return {
        "id": name,
        "scope": scope,
        "value": value,
        "unit": unit,
        "n": n,
        "p50": p50,
        "p95": p95,
    }
