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
        "host_memory": {"total_bytes": 128_000_000_000, "used_max_bytes": 32_000_000_000},
        "windows": {"train": TRAINED},
    }
    gpu_document["user"] = {"satisfaction": 4.5, "ratings": 12}
    found = values(gpu_document)
    assert {name: found[name] for name in sorted(GUIDE)} == {
        "accuracy.f1": 1.0,
        "accuracy.pass_at_1": 1.0,
        "accuracy.precision": 1.0,
        "accuracy.recall": 1.0,
        "disk.read": 3000.0,
        "disk.write": 1500.0,
        "gpu.utilization_inference": 61.0,
        "gpu.utilization_train": 97.5,
        "inference.requests_per_s.c1": 120.0,
        "inference.requests_per_s.c8": 960.0,
        "inference.response_ms.c1": 8.3,
        "inference.response_ms.c8": 8.3,
        "memory.gpu_utilization": 25.0,
        "memory.host_utilization": 25.0,
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
    assert (times["p50"], times["p95"], times["p99"], times["n"]) == (8.0, 9.5, 12.0, 960)


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
