"""Numbers of a run for the record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..ddp.traffic import in_training
from .result import items_at, number_at, section_at, text_at

Metric = dict[str, Any]
Result = Mapping[str, Any]

# The hardware guide asks for these: where they apply and have no value, the record says so (null).
GUIDE = frozenset(
    {
        "train.epoch_s",
        "train.tokens_per_s",
        "inference.requests_per_s.c1",
        "inference.requests_per_s.c8",
        "inference.response_ms.c1",
        "inference.response_ms.c8",
        "gpu.utilization_train",
        "gpu.utilization_inference",
        "accuracy.precision",
        "accuracy.recall",
        "accuracy.f1",
        "accuracy.pass_at_1",
        "memory.gpu_utilization",
        "memory.host_utilization",
        "disk.read",
        "disk.write",
        "train.disk_read",
        "train.disk_write",
        "train.network_received",
        "train.network_sent",
        "reliability.crash_rate",
        "reliability.restarts",
        "reliability.error_rate",
        "user.satisfaction",
    }
)

# id, unit, path in the document. Of the device that was trained on.
_OF_DEVICE = (
    ("train.loss_first", "nat", ("training", "loss_first")),
    ("train.loss_last", "nat", ("training", "loss_last")),
    ("train.nonfinite_steps", "steps", ("training", "nonfinite_steps")),
    ("accuracy.precision", "", ("evaluation", "precision")),
    ("accuracy.recall", "", ("evaluation", "recall")),
    ("accuracy.f1", "", ("evaluation", "f1")),
    ("accuracy.pass_at_1", "", ("evaluation", "exact_match")),
    ("accuracy.token", "", ("evaluation", "token_accuracy")),
    ("accuracy.class", "", ("evaluation", "class_accuracy")),
    ("memory.gpu_peak", "B", ("memory", "gpu_peak_bytes")),
)
_OF_NODE = (
    ("memory.host_peak", "B", ("memory", "host_peak_bytes")),
    ("reliability.crash_rate", "", ("reliability", "crash_rate")),
    ("reliability.restarts", "", ("reliability", "restarts")),
    ("reliability.error_rate", "", ("reliability", "error_rate")),
)
# id, unit, stage, key of each of its devices.
_OF_DEVICES = (
    ("gemm.tflops", "TFLOP/s", "gemm", "tflops"),
    ("memory_bandwidth.device", "GB/s", "memory_bandwidth", "device_gbs"),
    ("memory_bandwidth.h2d", "GB/s", "memory_bandwidth", "h2d_gbs"),
    ("memory_bandwidth.d2h", "GB/s", "memory_bandwidth", "d2h_gbs"),
    ("memory_bandwidth.peer", "GB/s", "memory_bandwidth", "peer_gbs"),
)
_CONCURRENCIES = (1, 8)


def scope_of(result: Result) -> str:
    """Return what the numbers belong to: ``gpu:UUID``, ``cpu``, or ``node`` if unknown."""
    uuid = text_at(result, "device", "uuid")
    return f"gpu:{uuid}" if uuid else text_at(result, "device", "type") or "node"


def metrics_of(result: Result) -> list[Metric]:
    """Return the metrics of a run.

    What it did not measure is left out, but for what the guide asks for (`GUIDE`): that is null.

    Args:
        result: the document of gpulab_bench.

    Returns:
        Mappings ``id, scope, value, unit, n, p50, p95, p99, baseline, z``; n and the quantiles are
        null for a number that is no statistic, and the last two until the fleet fills them in.
    """
    scope = scope_of(result)
    everything = [
        *(_metric(name, scope, number_at(result, *path), unit) for name, unit, path in _OF_DEVICE),
        _epoch(result, scope),
        *_train_speed(result, scope),
        *_inference(result, scope),
        *_of_gpus(result),
        *(
            _metric(name, text_at(device, "scope"), number_at(device, key), unit)
            for name, unit, stage, key in _OF_DEVICES
            for device in items_at(result, stage, "devices")
        ),
        _metric(
            "allreduce.bus",
            _group(result, "allreduce"),
            number_at(result, "allreduce", "bus_gbs"),
            "GB/s",
        ),
        *(
            _metric(f"ddp.{key}", _group(result, "ddp"), number_at(result, "ddp", key), unit)
            for key, unit in (("tokens_per_s", "1/s"), ("efficiency", ""))
        ),
        *_disk(result),
        *in_training(section_at(result, "usage", "windows", "train"), "train"),
        _host_utilization(result),
        *(_metric(name, "node", number_at(result, *path), unit) for name, unit, path in _OF_NODE),
        _satisfaction(result),
    ]
    return [one for one in everything if one["value"] is not None or one["id"] in GUIDE]


def _epoch(result: Result, scope: str) -> Metric:
    training = section_at(result, "training")
    timed = number_at(training, "epochs_timed")
    return _metric("train.epoch_s", scope, number_at(training, "epoch_s"), "s", n=timed)


def _train_speed(result: Result, scope: str) -> list[Metric]:
    """Return how fast training is: in the fastest mode of the run for speed, else of the task."""
    modes = [
        (speed, mode)
        for mode in items_at(result, "speed", "modes")
        if (speed := number_at(mode, "tokens_per_s")) is not None
    ]
    fastest = max(modes, key=lambda each: each[0])[1] if modes else section_at(result, "training")
    step = section_at(fastest, "step_s")
    median = number_at(step, "median")
    return [
        _metric("train.tokens_per_s", scope, number_at(fastest, "tokens_per_s"), "1/s"),
        _metric("train.mfu", scope, number_at(fastest, "mfu"), ""),
        _metric(
            "train.step_s",
            scope,
            median,
            "s",
            n=number_at(step, "n"),
            p50=median,
            p95=number_at(step, "p95"),
        ),
    ]


def _inference(result: Result, scope: str) -> list[Metric]:
    loads = {number_at(one, "concurrency"): one for one in items_at(result, "inference", "loads")}
    metrics = []
    for concurrency in _CONCURRENCIES:
        load = loads.get(concurrency, {})
        times = section_at(load, "response_ms")
        sent, failed = number_at(load, "requests"), number_at(load, "failed")
        answered = None if sent is None or failed is None else sent - failed
        rate = number_at(load, "requests_per_s")
        metrics.append(
            _metric(f"inference.requests_per_s.c{concurrency}", scope, rate, "1/s", n=answered)
        )
        metrics.append(
            _metric(
                f"inference.response_ms.c{concurrency}",
                scope,
                number_at(times, "mean"),
                "ms",
                n=answered,
                p50=number_at(times, "p50"),
                p95=number_at(times, "p95"),
                p99=number_at(times, "p99"),
            )
        )
    return metrics


def _of_gpus(result: Result) -> list[Metric]:
    """Return utilisation of each sampled GPU; of a node without any, null."""
    gpus = items_at(result, "telemetry", "gpus")
    if not gpus:
        names = ("gpu.utilization_train", "gpu.utilization_inference", "memory.gpu_utilization")
        return [_metric(name, "gpus", None, "%") for name in names]
    metrics = []
    for gpu in gpus:
        scope = f"gpu:{text_at(gpu, 'uuid')}"
        memory = _share(number_at(gpu, "memory_used_bytes"), number_at(gpu, "memory_total_bytes"))
        values = {
            "gpu.utilization_train": number_at(gpu, "utilization", "train"),
            "gpu.utilization_inference": number_at(gpu, "utilization", "inference"),
            "memory.gpu_utilization": memory,
        }
        metrics += [_metric(name, scope, value, "%") for name, value in values.items()]
    return metrics


def _group(result: Result, stage: str) -> str:
    return "cpu" if text_at(result, stage, "backend") == "gloo" else "gpus"


def _disk(result: Result) -> list[Metric]:
    folder = text_at(result, "disk", "folder")
    return [
        _metric(
            f"disk.{direction}",
            f"disk:{folder}" if folder else "node",
            number_at(result, "disk", f"{direction}_mbs"),
            "MB/s",
        )
        for direction in ("read", "write")
    ]


def _host_utilization(result: Result) -> Metric:
    memory = section_at(result, "usage", "host_memory")
    share = _share(number_at(memory, "used_max_bytes"), number_at(memory, "total_bytes"))
    return _metric("memory.host_utilization", "node", share, "%")


def _satisfaction(result: Result) -> Metric:
    user = section_at(result, "user")
    count = number_at(user, "ratings")
    return _metric("user.satisfaction", "node", number_at(user, "satisfaction"), "", n=count)


def _share(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else 100 * part / whole


def _metric(
    name: str,
    scope: str,
    value: float | None,
    unit: str,
    *,
    n: float | None = None,
    p50: float | None = None,
    p95: float | None = None,
    p99: float | None = None,
) -> Metric:
    return {
        "id": name,
        "scope": scope,
        "value": value,
        "unit": unit,
        "n": n,
        "p50": p50,
        "p95": p95,
        "p99": p99,
        "baseline": None,
        "z": None,
    }
