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
from gpulab_bench.profiles import Profile
from gpulab_bench.stats import mean, quantile

SCHEMA = 2

# Of how training, evaluation and requests are measured; counted up where that changes, since
# numbers of two methods are not compared. Documents without it are of method 1.
METHOD = 2

# Losses at either end of a run that are averaged into "first" and "last".
ENDS = 10


# Where the document holds what a stage returned. The probe's and the training's returns are split.
SECTIONS = {
    "gemm": "gemm",
    "memory_bandwidth": "memory_bandwidth",
    "sdc": "sdc",
    "inference": "inference",
    "evaluation": "evaluation",
    "speed": "speed",
    "allreduce": "allreduce",
    "ddp": "ddp",
    "disk": "disk",
}

UNREACHED = "unreached"


@dataclass
class Report:
    """What is known of a run so far; sections that were not reached stay None.

    Attributes:
        preset: of the model.
        profile: what was to run.
        seed: of data and weights.
        requested_device: ``auto``, ``cpu`` or ``cuda``.
        started: when, UTC.
        stopped_by: ``budget``, ``SIGTERM``, ``SIGINT`` or None.
        error: why there is no training.
        results: what the workers left of each stage.
        reliability: from `gpulab_bench.reliability.summarise`.
        telemetry: from `gpulab_bench.telemetry.summarise`.
        usage: from `gpulab_bench.counters.usage`.
        user: from `gpulab_bench.ratings.summarise`.
    """

    preset: Preset
    profile: Profile
    seed: int
    requested_device: str
    started: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    stopped_by: str | None = None
    error: dict[str, str] | None = None
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    reliability: dict[str, Any] | None = None
    telemetry: dict[str, Any] | None = None
    usage: dict[str, Any] | None = None
    user: dict[str, Any] | None = None

    def document(self, wall_s: float) -> dict[str, Any]:
        """The document, by the published schema.

        Args:
            wall_s: seconds since the run started.
        """
        counts = count_parameters(self.preset.model)
        probe, train = self.data("probe") or {}, self.data("train") or {}
        return {
            "schema": SCHEMA,
            "version": __version__,
            "profile": self.profile.name,
            "preset": self.preset.name,
            "method": METHOD,
            "seed": self.seed,
            "started": self.started.isoformat(timespec="seconds"),
            "wall_s": wall_s,
            "durations_s": self._durations(probe),
            "partial": self.stopped_by is not None or self.error is not None,
            "stopped_by": self.stopped_by,
            "error": self.error,
            "environment": probe.get("environment"),
            "requested_device": self.requested_device,
            "device": probe.get("device"),
            "devices": probe.get("devices") or [],
            "model": {
                **asdict(self.preset.model),
                "parameters": {**asdict(counts), "total": counts.total},
            },
            "task": {"name": "reverse", **asdict(self.preset.task)},
            "stages": [self._stage(plan.name) for plan in self.profile.stages],
            "training": train.get("training"),
            "memory": train.get("memory"),
            **{section: self.data(stage) for stage, section in SECTIONS.items()},
            "telemetry": self.telemetry,
            "usage": self.usage,
            "reliability": self.reliability,
            "user": self.user,
        }

    def data(self, stage: str) -> dict[str, Any] | None:
        """What a stage returned, or None."""
        found: dict[str, Any] | None = self.results.get(stage, {}).get("data")
        return found

    def _durations(self, probe: dict[str, Any]) -> dict[str, float]:
        seconds = {
            name: result["seconds"]
            for name, result in self.results.items()
            if result["started"] is not None
        }
        imported = probe.get("import_s")
        return seconds if imported is None else {"import": imported, **seconds}

    def _stage(self, name: str) -> dict[str, Any]:
        result = self.results.get(name)
        if result is None:
            return {"name": name, "status": UNREACHED, "reason": "", "error": None}
        return {
            "name": name,
            "status": result["status"],
            "reason": result["reason"],
            "error": result["error"],
        }


def training_section(
    preset: Preset,
    losses: Sequence[float | None],
    step_s: Sequence[float],
    nonfinite_steps: int,
    scaler_skips: int,
    epochs_s: Sequence[float] | None = None,
) -> dict[str, Any]:
    """Summarise the steps.

    The first ``warmup_steps`` are left out of the times, because they pay for allocation and for
    choosing kernels. tokens/s = tokens per step / mean step time. Seconds per epoch are the mean of
    the epochs that were timed whole; of a loop that times none, training items / batch items x mean
    step time. MFU is null here: the stage fills it in.

    Args:
        preset: what was asked for.
        losses: per step, in nats; None where not finite.
        step_s: per step, in seconds.
        nonfinite_steps: steps whose loss or gradient was not finite.
        scaler_skips: updates that the fp16 gradient scaler left out.
        epochs_s: seconds of each whole epoch; None of a loop that times none.
    """
    times = step_times(step_s[preset.warmup_steps :])
    mean_s = times["mean"]
    if epochs_s is None:
        epoch_s = preset.task.train_items / preset.batch_items * mean_s if mean_s else None
    else:
        epoch_s = mean(epochs_s)
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
        "step_s": times,
        "tokens_per_s": preset.tokens_per_step / mean_s if mean_s else None,
        "epoch_items": preset.task.train_items,
        "epoch_s": epoch_s,
        "epochs_timed": len(epochs_s or ()),
        "mfu": None,
    }


def step_times(step_s: Sequence[float]) -> dict[str, Any]:
    """Summarise the seconds of steps: number, mean, median, 95th percentile; null without any."""
    return {
        "n": len(step_s),
        "mean": sum(step_s) / len(step_s) if step_s else None,
        "median": quantile(step_s, 0.5) if step_s else None,
        "p95": quantile(step_s, 0.95) if step_s else None,
    }


def to_json(document: dict[str, Any]) -> str:
    """One line of strict JSON.

    Raises:
        ValueError: a number is not finite; such numbers have no place in JSON.
    """
    return json.dumps(document, allow_nan=False)
