"""What was asked of the benchmark, and what its result must reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class CheckLimits:
    """Limits of the checks. The defaults are the profile ``smoke``; all are our own proposals.

    Attributes:
        loss_ratio_max: last loss over first loss. A healthy node ends below 0.15, since a third
            of the items is a question that it does not learn to the end; without learning the ratio
            stays at 1.
        exact_match_min: share of held-out items answered right. A healthy node reaches 0.97 and
            more; guessing reaches 0.
        nonfinite_steps_max: steps with a loss or gradient that is not finite.
        step_jitter_max: p95 over median of the step time, on a CPU beyond a scheduler's pause. An
            idle node stays below 1.5; above the limit something slows the device down.
    """

    loss_ratio_max: float = 0.5
    exact_match_min: float = 0.9
    nonfinite_steps_max: int = 0
    step_jitter_max: float = 4.0


@dataclass(frozen=True)
class Request:
    """One call of the benchmark.

    Attributes:
        python: interpreter of the framework's environment.
        device: ``auto``, ``cpu`` or ``cuda``.
        budget_s: seconds that the benchmark may take.
        bus_gpus: NVIDIA GPUs on the node's PCI bus (``bdf``, ``slot``, ``name`` of each), whatever
            their driver says; None if the bus could not be read.
        limits: limits of the checks.
        spec: the node's hardware spec with all that it inherits; empty where none is declared.
    """

    python: str
    device: str
    budget_s: float
    bus_gpus: Sequence[dict[str, Any]] | None
    limits: CheckLimits = field(default_factory=CheckLimits)
    spec: Mapping[str, Any] = field(default_factory=dict)
