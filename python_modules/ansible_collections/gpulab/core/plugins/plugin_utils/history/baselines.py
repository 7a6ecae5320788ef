"""Is a number worse than its like? Honest for two GPUs as well as for four hundred.

How many there are to compare with decides how (:func:`judge`); nothing here reads or writes.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..checks.finding import Check

HIGHER, LOWER = "higher", "lower"
# Of an outlier: this, a dot, and the metric's id.
FINDING = "baseline"

# From so many samples on, their spread is known well enough to judge by it. [P]: our own proposal,
# as every limit here but MODIFIED_Z.
MANY = 8
# Below so many, nothing is judged: of two, nobody knows which one is wrong.
FEW = 3
# Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993), recommend 3.5.
MODIFIED_Z = 3.5
# A statistically clear difference of less than this is nobody's repair. [P]
SHARE_OF_MANY = 0.05
# What a sample of three to seven has to differ by, whose spread cannot be known. [P]
SHARE_OF_FEW = 0.10

# 0.6745 is the 0.75 quantile of the normal distribution, by which the median absolute deviation
# estimates a standard deviation; 1.253314 (the square root of pi/2) does it for the mean absolute
# deviation, which stands in where more than half of the samples are equal (ibid.).
_MAD, _MEAN_AD = 0.6745, 1.253314


class Rule(NamedTuple):
    """How one metric is compared.

    Attributes:
        better: `HIGHER` or `LOWER`.
        kind: Kind of the part that is suspected where the scope does not name one.
        severity: What an outlier weighs; "" for a metric that gets a baseline and no judgement,
            because another one tells the same or has a check of its own.
        action: What to do about an outlier.
    """

    better: str
    kind: str = "node"
    severity: str = ""
    action: str = ""


_SLOW = (
    "compare its clocks, power limit, temperatures and PCIe link with a GPU that is as it should "
    "be (nvidia-smi -q), then benchmark again; if it stays so, replace it"
)
_SLOW_LINK = (
    "check the PCIe or NVLink width and speed under load (nvidia-smi -q, nvidia-smi nvlink -s), "
    "reseat the card or its bridge, then benchmark again"
)
_SLOW_DISK = "see smartctl -a, free space and what else writes to it, then benchmark again"

RULES: Mapping[str, Rule] = {
    "train.tokens_per_s": Rule(HIGHER, "node", "fail", _SLOW),
    "train.epoch_s": Rule(LOWER),
    "train.step_s": Rule(LOWER),
    "train.mfu": Rule(HIGHER),
    "ddp.tokens_per_s": Rule(HIGHER, "node", "fail", _SLOW),
    "ddp.efficiency": Rule(HIGHER, "node", "fail", _SLOW_LINK),
    "inference.requests_per_s.c1": Rule(HIGHER, "node", "fail", _SLOW),
    "inference.requests_per_s.c8": Rule(HIGHER, "node", "fail", _SLOW),
    "inference.response_ms.c1": Rule(LOWER),
    "inference.response_ms.c8": Rule(LOWER),
    "gemm.tflops": Rule(HIGHER, "node", "fail", _SLOW),
    "memory_bandwidth.device": Rule(HIGHER, "node", "fail", _SLOW),
    "memory_bandwidth.h2d": Rule(HIGHER, "node", "fail", _SLOW_LINK),
    "memory_bandwidth.d2h": Rule(HIGHER, "node", "fail", _SLOW_LINK),
    "memory_bandwidth.peer": Rule(HIGHER, "node", "fail", _SLOW_LINK),
    "allreduce.bus": Rule(HIGHER, "node", "fail", _SLOW_LINK),
    "disk.read": Rule(HIGHER, "disk", "warn", _SLOW_DISK),
    "disk.write": Rule(HIGHER, "disk", "warn", _SLOW_DISK),
    "network.bandwidth": Rule(HIGHER),
    "pair.bandwidth": Rule(HIGHER),
    "pair.round_trip": Rule(LOWER),
}


_SOURCE = "metrics of the cohort, of earlier runs or of this one"
_LIMITS = (
    f"{MANY} values and more: beyond {MODIFIED_Z} modified z-scores and {SHARE_OF_MANY:.0%} or "
    f"more worse than the median, twice in a row (once warns); {FEW} to {MANY - 1}: "
    f"{SHARE_OF_FEW:.0%} or more worse; fewer: not judged. On a node without GPUs it only warns"
)
_LIMITS_SOURCE = (
    "Iglewicz and Hoaglin (1993) for the z-score, the rest is our proposal, to be calibrated"
)
# There is no unknown: what has no value, or too few of its like, is not compared.
_UNMEASURED = "see the finding of the stage that measures it: what has no value is not compared"
CHECK = Check(
    id=FINDING,
    title="As good as its cohort",
    source=_SOURCE,
    threshold="one pass where every number that was compared is as good as its like",
    threshold_source=_LIMITS_SOURCE,
    severity="fail",
    action=_UNMEASURED,
)
CHECKS = {
    metric: Check(
        id=f"{FINDING}.{metric}",
        title=f"Baseline of {metric}",
        source=_SOURCE,
        threshold=_LIMITS,
        threshold_source=_LIMITS_SOURCE,
        severity=rule.severity,
        action=_UNMEASURED,
    )
    for metric, rule in RULES.items()
    if rule.severity
}
BASELINE_CHECKS = (CHECK, *CHECKS.values())


class Judgement(NamedTuple):
    """What a number amounts to among its like.

    Attributes:
        baseline: Their median, or None where there are fewer than `FEW`.
        z: Modified z-score, or None where there are fewer than `MANY` or all are equal.
        n: How many there are.
        share: By how much it is worse than the baseline, 0.07 for 7 %; negative where it is better.
        outlier: It is worse by more than is usual.
        confirm: An outlier only counts when a second measurement says so as well.
    """

    baseline: float | None
    z: float | None
    n: int
    share: float
    outlier: bool
    confirm: bool


class Like(NamedTuple):
    """What numbers are compared with. It is the same for each of a lab's nodes.

    Attributes:
        n: How many there are.
        median: Their median; None where there are none.
        scale: Estimate of their standard deviation; 0 where all are equal.
    """

    n: int
    median: float | None
    scale: float


def like(samples: Sequence[float]) -> Like:
    """Sum up what a number is compared with."""
    if not samples:
        return Like(0, None, 0.0)
    median = statistics.median(samples)
    deviations = [abs(sample - median) for sample in samples]
    mad = statistics.median(deviations)
    return Like(
        len(samples), median, mad / _MAD if mad else _MEAN_AD * statistics.fmean(deviations)
    )


def judge(value: float, samples: Sequence[float], better: str) -> Judgement:
    """Compare a number with samples that no other one is compared with: see `judge_by`."""
    return judge_by(value, like(samples), better)


def judge_by(value: float, among: Like, better: str) -> Judgement:
    """Compare a number with its like.

    ========  ==============================================================================
    samples   an outlier is
    ========  ==============================================================================
    8 and up  beyond 3.5 modified z-scores *and* at least 5 % worse than the median; such a
              sample must be measured a second time to count
    3 to 7    at least 10 % worse than the median
    below     nothing: only absolute limits hold
    ========  ==============================================================================

    Args:
        value: The number.
        among: Those that it is compared with; its own may be one of them.
        better: `HIGHER` or `LOWER`.
    """
    n, baseline = among.n, among.median
    if n < FEW or baseline is None:
        return Judgement(None, None, n, 0.0, outlier=False, confirm=False)
    z = _z(value, among) if n >= MANY else None
    return Judgement(
        baseline,
        z,
        n,
        worse_by(value, baseline, better),
        outlier=_is_outlier(value, baseline, z, better),
        confirm=n >= MANY,
    )


def is_outlier(metric: Mapping[str, Any]) -> bool:
    """Say whether a metric of a record that has its baseline and z is worse than is usual."""
    rule = RULES.get(metric["id"])
    if rule is None or metric["value"] is None or metric.get("baseline") is None:
        return False
    return _is_outlier(metric["value"], metric["baseline"], metric.get("z"), rule.better)


def modified_z(value: float, samples: Sequence[float]) -> float | None:
    """Return 0.6745 (value - median) / MAD, or None where all samples are equal."""
    return _z(value, like(samples))


def _z(value: float, among: Like) -> float | None:
    if among.median is None:
        return None
    z = (value - among.median) / among.scale if among.scale else math.inf
    return z if math.isfinite(z) else None


def worse_by(value: float, baseline: float, better: str) -> float:
    """Return how much worse a number is than its baseline, as a share of it; 0 for a baseline 0."""
    if not baseline:
        return 0.0
    share = (baseline - value) / abs(baseline)
    return share if better == HIGHER else -share


def _is_outlier(value: float, baseline: float, z: float | None, better: str) -> bool:
    share = worse_by(value, baseline, better)
    # Without a z-score there are few samples, or many without any spread.
    if z is None:
        return share >= SHARE_OF_FEW
    return share >= SHARE_OF_MANY and (-z if better == HIGHER else z) > MODIFIED_Z
