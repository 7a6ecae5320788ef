"""The JSON document that the benchmark prints. PyTorch is not needed to build one.

Its published form is ``schemas/result.schema.json``. A run that stops early, or fails, prints the
same document with ``partial`` true and what it did not reach as null.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any

from gpulab_bench import __version__
from gpulab_bench.config import Preset, count_parameters
from gpulab_bench.stats import mean, quantile

SCHEMA = 1

# Losses at either end of a run that are averaged into "first" and "last".
ENDS = 10


@dataclass
class Report:
    """What is known of a run so far; sections that were not reached stay None."""

    preset: Preset
    seed: int
    requested_device: str
    started: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    stopped_by: str | None = None
    error: dict[str, str] | None = None
    environment: dict[str, Any] | None = None
    device: dict[str, Any] | None = None
    training: dict[str, Any] | None = None
    evaluation: dict[str, Any] | None = None
    memory: dict[str, Any] | None = None
    durations_s: dict[str, float] = field(default_factory=dict)

    def document(self, wall_s: float) -> dict[str, Any]:
        """The document, by the published schema.

        Args:
            wall_s: seconds since the run started, the import of PyTorch included.
        """
        counts = count_parameters(self.preset.model)
        return {
            "schema": SCHEMA,
            "version": __version__,
            "preset": self.preset.name,
            "seed": self.seed,
            "started": self.started.isoformat(timespec="seconds"),
            "wall_s": wall_s,
            "durations_s": self.durations_s,
            "partial": self.stopped_by is not None or self.error is not None,
            "stopped_by": self.stopped_by,
            "error": self.error,
            "environment": self.environment,
            "requested_device": self.requested_device,
            "device": self.device,
            "model": {
                **asdict(self.preset.model),
                "parameters": {**asdict(counts), "total": counts.total},
            },
            "task": {"name": "reverse", **asdict(self.preset.task)},
            "training": self.training,
            "evaluation": self.evaluation,
            "memory": self.memory,
        }


def training_section(
    preset: Preset,
    losses: Sequence[float | None],
    step_s: Sequence[float],
    nonfinite_steps: int,
    scaler_skips: int,
) -> dict[str, Any]:
    """Summarise the steps.

    The first ``warmup_steps`` are left out of the times, because they pay for allocation and for
    choosing kernels. tokens/s = tokens per step / mean step time; seconds per epoch = training
    items / batch items x mean step time. MFU stays null: it needs the published peak of a GPU
    that is known, and a model that is large enough to be bound by arithmetic.

    Args:
        preset: what was asked for.
        losses: per step, in nats; None where not finite.
        step_s: per step, in seconds.
        nonfinite_steps: steps whose loss or gradient was not finite.
        scaler_skips: updates that the fp16 gradient scaler left out.
    """
    timed = step_s[preset.warmup_steps :]
    mean_s = sum(timed) / len(timed) if timed else None
    return {
        "steps_planned": preset.steps,
        "steps_done": len(losses),
        "warmup_steps": preset.warmup_steps,
        "batch_items": preset.batch_items,
        "tokens_per_step": preset.tokens_per_step,
        "losses": list(losses),
        "loss_first": mean(losses[:ENDS]),
        "loss_last": mean(losses[-ENDS:]),
        "nonfinite_steps": nonfinite_steps,
        "scaler_skips": scaler_skips,
        "step_s": {
            "n": len(timed),
            "mean": mean_s,
            "median": quantile(timed, 0.5) if timed else None,
            "p95": quantile(timed, 0.95) if timed else None,
        },
        "tokens_per_s": preset.tokens_per_step / mean_s if mean_s else None,
        "epoch_items": preset.task.train_items,
        "epoch_s": preset.task.train_items / preset.batch_items * mean_s if mean_s else None,
        "mfu": None,
    }


def to_json(document: dict[str, Any]) -> str:
    """One line of strict JSON.

    Raises:
        ValueError: a number is not finite; such numbers have no place in JSON.
    """
    return json.dumps(document, allow_nan=False)
