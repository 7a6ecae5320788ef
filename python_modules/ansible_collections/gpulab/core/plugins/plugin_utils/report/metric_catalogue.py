"""What each metric is called, which group it belongs to, and which ones every report must have.

The groups are those by which a lab for training large models is judged: performance, accuracy,
resources, reliability, user experience. What the hardware did under load stands beside them.
"""

from __future__ import annotations

from typing import NamedTuple

from ..history import launches
from ..history.launches import CRASH_RATE, RESTARTS

PERFORMANCE = "Performance"
ACCURACY = "Accuracy"
RESOURCES = "Resources"
RELIABILITY = "Reliability"
EXPERIENCE = "User experience"
HARDWARE = "Hardware under load"
OTHER = "Other"
GROUPS = (PERFORMANCE, ACCURACY, RESOURCES, RELIABILITY, EXPERIENCE, HARDWARE, OTHER)

# Shown as heat maps: one number for each pair of nodes.
PAIR_BANDWIDTH = "pair.bandwidth"
PAIR_ROUND_TRIP = "pair.round_trip"

SATISFACTION = "user.satisfaction"
TOKENS_PER_S = "train.tokens_per_s"


class Measure(NamedTuple):
    """One metric in words.

    Attributes:
        id: Of the metric in a record.
        group: One of `GROUPS`.
        label: Its name for a reader.
        due: Every report names it, as "not measured" where nobody measured it.
        unit: Where nobody measured it; else a metric brings its own.
        on_cpu: Its name for what a processor measured, where ``label`` is a GPU's.
        percentiles: Those that are shown beside the value, which then is the mean.
    """

    id: str
    group: str
    label: str
    due: bool = False
    unit: str = ""
    percentiles: tuple[str, ...] = ()
    on_cpu: str = ""


_PERCENTILES = ("p50", "p95", "p99")

MEASURES = (
    Measure("train.epoch_s", PERFORMANCE, "Time per epoch", True, "s"),
    Measure(TOKENS_PER_S, PERFORMANCE, "Training tokens"),
    Measure("train.step_s", PERFORMANCE, "Training step"),
    Measure("train.mfu", PERFORMANCE, "Model FLOP utilisation"),
    Measure("ddp.tokens_per_s", PERFORMANCE, "Training tokens, all processes"),
    Measure("ddp.efficiency", PERFORMANCE, "Scaling efficiency"),
    Measure("inference.requests_per_s.c1", PERFORMANCE, "Requests, one at a time", True, "1/s"),
    Measure("inference.requests_per_s.c8", PERFORMANCE, "Requests, eight at a time", True, "1/s"),
    Measure("gpu.utilization_train", PERFORMANCE, "GPU utilisation, training", True, "%"),
    Measure("gpu.utilization_inference", PERFORMANCE, "GPU utilisation, inference", True, "%"),
    Measure("accuracy.precision", ACCURACY, "Precision", True),
    Measure("accuracy.recall", ACCURACY, "Recall", True),
    Measure("accuracy.f1", ACCURACY, "F1", True),
    Measure("accuracy.pass_at_1", ACCURACY, "pass@1", True),
    Measure("accuracy.token", ACCURACY, "Token accuracy"),
    Measure("accuracy.class", ACCURACY, "Class accuracy"),
    Measure("train.loss_first", ACCURACY, "Loss, first steps"),
    Measure("train.loss_last", ACCURACY, "Loss, last steps"),
    Measure("memory.gpu_utilization", RESOURCES, "GPU memory used", True, "%"),
    Measure("memory.gpu_peak", RESOURCES, "GPU memory, peak", True, "B"),
    Measure("memory.host_utilization", RESOURCES, "Host memory used", True, "%"),
    Measure("memory.host_peak", RESOURCES, "Host memory, peak", True, "B"),
    Measure("disk.read", RESOURCES, "Disk read", True, "MB/s"),
    Measure("disk.write", RESOURCES, "Disk write", True, "MB/s"),
    Measure("train.disk_read", RESOURCES, "Disk read, in training", True, "MB/s"),
    Measure("train.disk_write", RESOURCES, "Disk write, in training", True, "MB/s"),
    Measure("network.bandwidth", RESOURCES, "Network, worst pair", True, "Gb/s"),
    Measure("train.network_received", RESOURCES, "Network received, in training", True, "Gb/s"),
    Measure("train.network_sent", RESOURCES, "Network sent, in training", True, "Gb/s"),
    Measure("ddp.disk_read", RESOURCES, "Disk read, training over nodes"),
    Measure("ddp.disk_write", RESOURCES, "Disk write, training over nodes"),
    Measure("ddp.network_received", RESOURCES, "Network received, training over nodes"),
    Measure("ddp.network_sent", RESOURCES, "Network sent, training over nodes"),
    Measure(CRASH_RATE, RELIABILITY, f"Crash rate, {launches.DAYS} days", True),
    Measure(RESTARTS, RELIABILITY, f"Restarts, {launches.DAYS} days", True),
    Measure("reliability.crash_rate", RELIABILITY, "Crash rate, last benchmark", True),
    Measure("reliability.restarts", RELIABILITY, "Restarts, last benchmark", True),
    Measure("reliability.error_rate", RELIABILITY, "Error rate", True),
    Measure("train.nonfinite_steps", RELIABILITY, "Non-finite steps"),
    Measure(
        "inference.response_ms.c1", EXPERIENCE, "Response, one at a time", True, "ms", _PERCENTILES
    ),
    Measure(
        "inference.response_ms.c8",
        EXPERIENCE,
        "Response, eight at a time",
        True,
        "ms",
        _PERCENTILES,
    ),
    Measure(SATISFACTION, EXPERIENCE, "User satisfaction, 1 to 5", True),
    Measure("gemm.tflops", HARDWARE, "Matrix multiplication", on_cpu="Matrix multiplication, CPU"),
    Measure(
        "memory_bandwidth.device",
        HARDWARE,
        "GPU memory bandwidth",
        on_cpu="Host memory bandwidth, CPU",
    ),
    Measure("memory_bandwidth.h2d", HARDWARE, "Host to GPU"),
    Measure("memory_bandwidth.d2h", HARDWARE, "GPU to host"),
    Measure("memory_bandwidth.peer", HARDWARE, "GPU to GPU"),
    Measure(
        "allreduce.bus",
        HARDWARE,
        "All-reduce between GPUs, bus",
        on_cpu="All-reduce between processes on CPUs",
    ),
)
_BY_ID = {measure.id: measure for measure in MEASURES}


def of(metric: str) -> Measure:
    """Return what is known of a metric; one that is not listed keeps its id as its name."""
    return _BY_ID.get(metric, Measure(metric, OTHER, metric))


def order(metric: str) -> int:
    """Return where a metric stands among all; unlisted ones come last."""
    return MEASURES.index(_BY_ID[metric]) if metric in _BY_ID else len(MEASURES)
