"""Numbers for the record: every one of the guide's, none made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ansible_collections.gpulab.core.plugins.module_utils.process import Outcome
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.benchmark.judge import judge
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.benchmark.metrics import (
    GUIDE,
    metrics_of,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.benchmark.request import Request
from ansible_collections.gpulab.core.plugins.plugin_utils.records import cohort, records
from gpulab_bench.result import to_json

Document = dict[str, Any]


def values(document: Document) -> dict[str, Any]:
    return {metric["id"]: metric["value"] for metric in metrics_of(document)}


# 5 s, of which 30 and 10 MB/s, and 0.8 and 0.4 Gb/s.
TRAINED = {
    "seconds": 5.0,
    "disk": {"read_bytes": 150_000_000, "written_bytes": 50_000_000},
    "network": {"received_bytes": 500_000_000, "sent_bytes": 250_000_000},
}


def telemetry_of(document: Document) -> dict[str, Any]:
    return {
        "gpus": [
            {
                "uuid": document["device"]["uuid"],
                "utilization": {"train": 97.5, "inference": 61.0},
                "memory_used_bytes": 20_000_000_000,
                "memory_total_bytes": 80_000_000_000,
            }
        ]
    }


def test_every_metric_of_the_guide_has_a_value_on_a_gpu(gpu_document: Document) -> None:
    gpu_document["telemetry"] = telemetry_of(gpu_document)
    gpu_document["usage"] = {
        "host_memory": {"total_bytes": 128_000_000_000, "used_max_bytes": 16_000_000_000},
        "windows": {"train": TRAINED},
    }
    gpu_document["user"] = {"satisfaction": 4.5, "ratings": 12}
    found = values(gpu_document)
    assert {name: found[name] for name in sorted(GUIDE)} == {
        "accuracy.f1": 0.97,
        "accuracy.pass_at_1": 0.95,
        "accuracy.precision": 0.98,
        "accuracy.recall": 0.96,
        "disk.read": 3000.0,
        "disk.write": 1500.0,
        "gpu.utilization_inference": 61.0,
        "gpu.utilization_train": 97.5,
        "inference.requests_per_s.c1": 120.0,
        "inference.requests_per_s.c8": 960.0,
        "inference.response_ms.c1": 8.3,
        "inference.response_ms.c8": 8.4,
        "memory.gpu_utilization": 25.0,
        "memory.host_utilization": 12.5,
        "reliability.crash_rate": 0.0,
        "reliability.error_rate": 0.0,
        "reliability.restarts": 0,
        "train.disk_read": 30.0,
        "train.disk_write": 10.0,
        "train.epoch_s": 1.3,
        "train.network_received": 0.8,
        "train.network_sent": 0.4,
        "train.tokens_per_s": pytest.approx(60_235, abs=1),
        "user.satisfaction": 4.5,
    }


@pytest.mark.parametrize(
    "window",
    [None, {**TRAINED, "disk": None, "network": None}, {**TRAINED, "seconds": 0.0}],
)
def test_rates_in_training_that_are_not_known_are_null(
    gpu_document: Document, window: Document | None
) -> None:
    """Also those of a document from before they were told of: it has no windows."""
    names = ("disk_read", "disk_write", "network_received", "network_sent")
    for usage in ({"windows": {"train": window}}, {}):
        gpu_document["usage"] = usage
        found = values(gpu_document)
        assert [found[f"train.{name}"] for name in names] == [None] * 4


def test_the_epoch_says_how_many_were_timed(gpu_document: Document) -> None:
    (epoch,) = [one for one in metrics_of(gpu_document) if one["id"] == "train.epoch_s"]
    assert (epoch["value"], epoch["n"]) == (1.3, 1)


def test_each_number_belongs_to_what_it_was_measured_on(gpu_document: Document) -> None:
    scopes = {metric["id"]: metric["scope"] for metric in metrics_of(gpu_document)}
    mine = f"gpu:{gpu_document['device']['uuid']}"
    for name in ("train.tokens_per_s", "gemm.tflops", "memory_bandwidth.h2d", "accuracy.f1"):
        assert scopes[name] == mine
    assert scopes["allreduce.bus"] == "gpus"
    assert scopes["disk.read"] == "disk:/var/tmp"
    assert scopes["reliability.crash_rate"] == scopes["user.satisfaction"] == "node"


def test_response_times_have_their_quantiles(cpu_document: Document) -> None:
    (times,) = [one for one in metrics_of(cpu_document) if one["id"] == "inference.response_ms.c8"]
    assert (times["p50"], times["p95"], times["p99"], times["n"]) == (8.1, 9.6, 12.1, 960)


def test_without_a_survey_the_satisfaction_is_null(cpu_document: Document) -> None:
    assert values(cpu_document)["user.satisfaction"] is None


def test_what_was_not_reached_is_null_where_the_guide_asks_and_absent_elsewhere(
    cpu_document: Document,
) -> None:
    sections = ("training", "evaluation", "memory", "inference", "disk", "gemm", "allreduce")
    cpu_document.update(dict.fromkeys(sections), memory_bandwidth=None, reliability=None)
    found = values(cpu_document)
    assert set(found) == GUIDE
    assert set(found.values()) == {None}


def mode(name: str, tokens_per_s: float | None, mfu: float | None) -> Document:
    times = {"n": 50, "mean": 0.1, "median": 0.1, "p95": 0.2}
    return {"mode": name, "tokens_per_s": tokens_per_s, "mfu": mfu, "step_s": times}


def test_the_speed_is_that_of_the_fastest_mode(gpu_document: Document) -> None:
    gpu_document["speed"] = {"modes": [mode("eager", 300.0, 0.3), mode("compile", 400.0, 0.4)]}
    found = values(gpu_document)
    assert (found["train.tokens_per_s"], found["train.mfu"]) == (400.0, 0.4)
    assert found["train.step_s"] == 0.1


def test_a_mode_that_was_not_reached_is_no_speed(gpu_document: Document) -> None:
    of_task = values(gpu_document)["train.tokens_per_s"]
    gpu_document["speed"] = {"modes": [mode("eager", 300.0, None), mode("compile", None, None)]}
    found = values(gpu_document)
    assert found["train.tokens_per_s"] == 300.0
    assert "train.mfu" not in found
    gpu_document["speed"] = {"modes": []}
    assert values(gpu_document)["train.tokens_per_s"] == of_task


def test_a_nodes_own_group_is_measured_as_its_gpus(gpu_document: Document) -> None:
    gpu_document["ddp"] = {"backend": "nccl", "tokens_per_s": 700.0, "efficiency": 0.9}
    found = {(one["id"], one["scope"]): one["value"] for one in metrics_of(gpu_document)}
    assert found["ddp.tokens_per_s", "gpus"] == 700.0
    assert found["ddp.efficiency", "gpus"] == 0.9


@pytest.mark.parametrize("kind", ["cpu_document", "gpu_document"])
def test_a_judged_run_fits_into_the_nodes_record(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    document = request.getfixturevalue(kind)
    wanted = Request("/opt/gpulab/pytorch/bin/python", "auto", 135, [])
    judged = judge(Outcome(0, stdout=to_json(document), wall_s=45.5), wanted)
    folder = tmp_path / "20261125T120000Z"
    folder.mkdir()
    record = records.new(folder.name, {"name": "node01"})
    records.add_benchmark(record, {**judged, "profile": "smoke"})
    loaded = records.load(records.save(record, folder))
    assert loaded["stages"] == {"benchmark": "pass"}
    assert {metric["id"] for metric in loaded["metrics"]} >= GUIDE


def as_before(document: Document) -> Document:
    """The document as the benchmark of gpulab 0.1.0 wrote it."""
    old = {key: value for key, value in document.items() if key != "method"}
    old["training"] = {k: v for k, v in document["training"].items() if k != "epochs_timed"}
    return old


def test_a_stored_document_of_before_is_still_read(
    cpu_document: Document, schema: dict[str, Any], tmp_path: Path
) -> None:
    old = as_before(cpu_document)
    jsonschema.validate(old, schema)
    wanted = Request("/opt/gpulab/pytorch/bin/python", "auto", 135, [])
    judged = judge(Outcome(0, stdout=to_json(old), wall_s=45.5), wanted)
    assert judged["verdict"] == "pass"
    found = {metric["id"]: metric["value"] for metric in judged["metrics"]}
    assert found["accuracy.f1"] == cpu_document["evaluation"]["f1"]
    assert found["inference.requests_per_s.c8"] == 960.0
    assert found["train.disk_read"] is None
    folder = tmp_path / "20261125T120000Z"
    folder.mkdir()
    record = records.new(folder.name, {"name": "node01"})
    records.add_benchmark(record, {**judged, "profile": "smoke"})
    assert records.load(records.save(record, folder))["benchmark"]["schema"] == 2


def test_numbers_of_two_methods_are_not_compared(cpu_document: Document) -> None:
    facts = {"cpu": {"model": "AMD EPYC 9554", "cores": 64}}
    assert cohort.of(facts, cpu_document) == (
        "64 cores AMD EPYC 9554, xs, method 2, torch 2.13.0+cpu"
    )
    before = cohort.of(facts, as_before(cpu_document))
    assert before == "64 cores AMD EPYC 9554, xs, torch 2.13.0+cpu"


def numbered(value: object, seen: list[float]) -> object:
    """Return a copy in which every number is another one, and what is null is a number, too."""
    if isinstance(value, dict):
        return {key: numbered(item, seen) for key, item in value.items()}
    if isinstance(value, list):
        return [numbered(item, seen) for item in value]
    if isinstance(value, (str, bool)):
        return value
    seen.append(1000.5 + len(seen))
    return seen[-1]


#: Where each number comes from: scope, unit, and the path of its value in the document.
SOURCES = {
    "train.epoch_s": ("gpu", "s", "training.epoch_s"),
    "train.loss_first": ("gpu", "nat", "training.loss_first"),
    "train.loss_last": ("gpu", "nat", "training.loss_last"),
    "train.nonfinite_steps": ("gpu", "steps", "training.nonfinite_steps"),
    "train.tokens_per_s": ("gpu", "1/s", "training.tokens_per_s"),
    "train.mfu": ("gpu", "", "training.mfu"),
    "train.step_s": ("gpu", "s", "training.step_s.median"),
    "accuracy.precision": ("gpu", "", "evaluation.precision"),
    "accuracy.recall": ("gpu", "", "evaluation.recall"),
    "accuracy.f1": ("gpu", "", "evaluation.f1"),
    "accuracy.pass_at_1": ("gpu", "", "evaluation.exact_match"),
    "accuracy.token": ("gpu", "", "evaluation.token_accuracy"),
    "accuracy.class": ("gpu", "", "evaluation.class_accuracy"),
    "memory.gpu_peak": ("gpu", "B", "memory.gpu_peak_bytes"),
    "memory.host_peak": ("node", "B", "memory.host_peak_bytes"),
    "reliability.crash_rate": ("node", "", "reliability.crash_rate"),
    "reliability.restarts": ("node", "", "reliability.restarts"),
    "reliability.error_rate": ("node", "", "reliability.error_rate"),
    "gemm.tflops": ("gpu", "TFLOP/s", "gemm.devices.0.tflops"),
    "memory_bandwidth.device": ("gpu", "GB/s", "memory_bandwidth.devices.0.device_gbs"),
    "memory_bandwidth.h2d": ("gpu", "GB/s", "memory_bandwidth.devices.0.h2d_gbs"),
    "memory_bandwidth.d2h": ("gpu", "GB/s", "memory_bandwidth.devices.0.d2h_gbs"),
    "memory_bandwidth.peer": ("gpu", "GB/s", "memory_bandwidth.devices.0.peer_gbs"),
    "allreduce.bus": ("gpus", "GB/s", "allreduce.bus_gbs"),
    "ddp.tokens_per_s": ("gpus", "1/s", "ddp.tokens_per_s"),
    "ddp.efficiency": ("gpus", "", "ddp.efficiency"),
    "inference.requests_per_s.c1": ("gpu", "1/s", "inference.loads.0.requests_per_s"),
    "inference.requests_per_s.c8": ("gpu", "1/s", "inference.loads.1.requests_per_s"),
    "inference.response_ms.c1": ("gpu", "ms", "inference.loads.0.response_ms.mean"),
    "inference.response_ms.c8": ("gpu", "ms", "inference.loads.1.response_ms.mean"),
    "gpu.utilization_train": ("gpu", "%", "telemetry.gpus.0.utilization.train"),
    "gpu.utilization_inference": ("gpu", "%", "telemetry.gpus.0.utilization.inference"),
    "disk.read": ("disk:/var/tmp", "MB/s", "disk.read_mbs"),
    "disk.write": ("disk:/var/tmp", "MB/s", "disk.write_mbs"),
    "user.satisfaction": ("node", "", "user.satisfaction"),
}
#: Shares of two numbers, in percent.
SHARES = {
    "memory.gpu_utilization": (
        "gpu",
        "telemetry.gpus.0.memory_used_bytes",
        "telemetry.gpus.0.memory_total_bytes",
    ),
    "memory.host_utilization": (
        "node",
        "usage.host_memory.used_max_bytes",
        "usage.host_memory.total_bytes",
    ),
}
#: Amounts over the seconds of the training, and what makes their unit of a byte per second.
RATES = {
    "train.disk_read": ("MB/s", "disk.read_bytes", 1e6),
    "train.disk_write": ("MB/s", "disk.written_bytes", 1e6),
    "train.network_received": ("Gb/s", "network.received_bytes", 1e9 / 8),
    "train.network_sent": ("Gb/s", "network.sent_bytes", 1e9 / 8),
}
#: What stands beside the value: n, and the quantiles; "a-b" is a difference.
BESIDE = {
    "train.epoch_s": ("training.epochs_timed", "", "", ""),
    "train.step_s": ("training.step_s.n", "training.step_s.median", "training.step_s.p95", ""),
    **{
        f"inference.response_ms.c{concurrency}": (
            f"inference.loads.{place}.requests-inference.loads.{place}.failed",
            *(f"inference.loads.{place}.response_ms.{name}" for name in ("p50", "p95", "p99")),
        )
        for place, concurrency in enumerate((1, 8))
    },
    **{
        f"inference.requests_per_s.c{concurrency}": (
            f"inference.loads.{place}.requests-inference.loads.{place}.failed",
            *("", "", ""),
        )
        for place, concurrency in enumerate((1, 8))
    },
    "user.satisfaction": ("user.ratings", "", "", ""),
}


def at(document: Document, path: str) -> float:
    here: Any = document
    for key in path.split("."):
        here = here[int(key)] if isinstance(here, list) else here[key]
    return float(here)


def test_each_number_is_read_from_its_own_place(gpu_document: Document) -> None:
    """Every number of the document is another one, so none passes for its neighbour."""
    gpu_document["telemetry"] = telemetry_of(gpu_document)
    gpu_document["usage"] = {
        "host_memory": {"total_bytes": 2, "used_max_bytes": 1},
        "windows": {"train": TRAINED},
    }
    gpu_document["user"] = {"satisfaction": 4.5, "ratings": 12}
    gpu_document["ddp"] = {"backend": "nccl", "tokens_per_s": 700.0, "efficiency": 0.9}
    gpu_document["speed"] = None
    gpu_document["training"]["losses"] = []
    document = numbered({**gpu_document, "speed": {}}, [])
    assert isinstance(document, dict)
    for load, concurrency in zip(document["inference"]["loads"], (1, 8), strict=True):
        load["concurrency"] = concurrency
    mine = f"gpu:{gpu_document['device']['uuid']}"
    found = {metric["id"]: metric for metric in metrics_of(document)}
    assert set(found) == set(SOURCES) | set(SHARES) | set(RATES)

    def number(path: str) -> float | None:
        if not path:
            return None
        first, _, less = path.partition("-")
        return at(document, first) - (at(document, less) if less else 0)

    for name, (scope, unit, path) in SOURCES.items():
        metric = found[name]
        assert (metric["value"], metric["unit"]) == (number(path), unit), name
        assert metric["scope"] == (mine if scope == "gpu" else scope), name
        beside = [number(place) for place in BESIDE.get(name, ("", "", "", ""))]
        assert [metric[key] for key in ("n", "p50", "p95", "p99")] == beside, name
    window = "usage.windows.train"
    for name, (unit, amount, divisor) in RATES.items():
        metric, seconds = found[name], at(document, f"{window}.seconds")
        assert metric["value"] == at(document, f"{window}.{amount}") / seconds / divisor, name
        assert (metric["unit"], metric["scope"]) == (unit, "node"), name
    for name, (scope, part, whole) in SHARES.items():
        metric = found[name]
        assert metric["value"] == 100 * at(document, part) / at(document, whole), name
        assert (metric["unit"], metric["scope"]) == ("%", mine if scope == "gpu" else scope), name


def test_the_fastest_mode_gives_all_of_the_speed(gpu_document: Document) -> None:
    """Of the fastest mode, and of that alone: also where it is not the last one."""
    modes = [mode("compile", 400.0, 0.4), mode("eager", 300.0, 0.3)]
    modes[0]["step_s"] = {"n": 51, "mean": 0.11, "median": 0.12, "p95": 0.23}
    gpu_document["speed"] = {"modes": modes}
    found = {metric["id"]: metric for metric in metrics_of(gpu_document)}
    step = found["train.step_s"]
    assert (step["value"], step["n"], step["p50"], step["p95"]) == (0.12, 51, 0.12, 0.23)
    assert (found["train.tokens_per_s"]["value"], found["train.mfu"]["value"]) == (400.0, 0.4)


def test_a_processors_numbers_are_a_processors(cpu_document: Document) -> None:
    scopes = {metric["id"]: metric["scope"] for metric in metrics_of(cpu_document)}
    for name in ("train.tokens_per_s", "gemm.tflops", "accuracy.f1", "allreduce.bus"):
        assert scopes[name] == "cpu", name
    assert scopes["gpu.utilization_train"] == scopes["memory.gpu_utilization"] == "gpus"
    # Of a run that did not come to know its device.
    cpu_document.update(device=None, allreduce={"backend": None, "bus_gbs": 1.0})
    scopes = {metric["id"]: metric["scope"] for metric in metrics_of(cpu_document)}
    assert (scopes["train.tokens_per_s"], scopes["allreduce.bus"]) == ("node", "gpus")


def test_a_metric_has_these_keys_and_no_baseline_yet(cpu_document: Document) -> None:
    keys = {"id", "scope", "value", "unit", "n", "p50", "p95", "p99", "baseline", "z"}
    for metric in metrics_of(cpu_document):
        assert set(metric) == keys
        assert (metric["baseline"], metric["z"]) == (None, None)


@pytest.mark.parametrize("lost", ["requests", "failed"])
def test_of_requests_that_were_not_counted_there_is_no_number(
    lost: str, cpu_document: Document
) -> None:
    cpu_document["inference"]["loads"][0][lost] = None
    found = {metric["id"]: metric for metric in metrics_of(cpu_document)}
    assert found["inference.response_ms.c1"]["n"] is None
    assert found["inference.response_ms.c1"]["value"] == 8.3


@pytest.mark.parametrize(("used", "total"), [(1, 0), (1, None), (None, 2), (None, None)])
def test_of_half_a_share_there_is_none(
    used: int | None, total: int | None, cpu_document: Document
) -> None:
    cpu_document["usage"] = {"host_memory": {"total_bytes": total, "used_max_bytes": used}}
    assert values(cpu_document)["memory.host_utilization"] is None
