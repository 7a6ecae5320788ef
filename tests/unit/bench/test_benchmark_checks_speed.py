"""Floors by model of GPU: each can fail, and an unknown model has none."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.benchmark import speed
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.benchmark.published import (
    TABLE,
    published,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.benchmark.request import Request

Document = dict[str, Any]

H100 = {"bdf": "0000:3b:00.0", "slot": "3", "name": "H100 SXM5 80GB"}
REQUEST = Request("/opt/gpulab/pytorch/bin/python", "auto", 135, [H100])


def with_value(document: Document, stage: str, key: str, value: float | None) -> Document:
    document[stage]["devices"][0][key] = value
    return document


@pytest.mark.parametrize(
    ("check", "stage", "key", "value", "status", "floor"),
    [
        # 794 published, 80 % of it is 635.2.
        ("gemm", "gemm", "tflops", 636.0, "pass", 635.2),
        ("gemm", "gemm", "tflops", 0.8 * 794, "pass", 635.2),
        ("gemm", "gemm", "tflops", 635.0, "fail", 635.2),
        ("gemm", "gemm", "tflops", 0.72, "fail", 635.2),
        ("gemm", "gemm", "tflops", None, "unknown", 635.2),
        ("memory_bandwidth", "memory_bandwidth", "device_gbs", 1905.0, "pass", 1905),
        ("memory_bandwidth", "memory_bandwidth", "device_gbs", 1904.0, "fail", 1905),
        # In TB/s, as a floor that is off by a thousand would have it.
        ("memory_bandwidth", "memory_bandwidth", "device_gbs", 2.6, "fail", 1905),
        ("memory_bandwidth", "memory_bandwidth", "device_gbs", None, "unknown", 1905),
        ("host_bandwidth", "memory_bandwidth", "h2d_gbs", 48.0, "pass", 48),
        ("host_bandwidth", "memory_bandwidth", "h2d_gbs", 24.0, "fail", 48),
        ("host_bandwidth", "memory_bandwidth", "h2d_gbs", None, "unknown", 48),
    ],
)
def test_an_h100_has_floors(
    check: str,
    stage: str,
    key: str,
    value: float | None,
    status: str,
    floor: float,
    gpu_document: Document,
) -> None:
    (finding,) = getattr(speed, check)(with_value(gpu_document, stage, key, value), REQUEST)
    assert (finding["id"], finding["status"]) == (f"benchmark.{check}", status)
    assert finding["expected"] == floor
    assert finding["part"]["slot"] == "3"
    assert finding["part"]["uuid"] == gpu_document["devices"][0]["uuid"]
    assert bool(finding["action"]) == (status != "pass")
    assert finding["observed"] == value
    # A tenth of a unit, for a person; the limit itself is not rounded.
    assert finding["expected"] == round(finding["expected"], 1)
    assert finding["unit"] == ("TFLOP/s" if check == "gemm" else "GB/s")
    told = {"gemm": "gpu.throttle", "memory_bandwidth": "row-remap", "host_bandwidth": "reseat"}
    assert status != "fail" or told[check] in finding["action"]


def test_each_gpu_has_its_own_numbers(gpu_document: Document) -> None:
    """The second one is slow, in its own way each time."""
    first = gpu_document["devices"][0]
    gpu_document["devices"].append({**first, "uuid": "GPU-2", "bdf": "0000:5e:00.0"})
    for stage in ("gemm", "memory_bandwidth"):
        rates = gpu_document[stage]["devices"][0]
        slow = {key: 1.0 for key in ("tflops", "device_gbs", "h2d_gbs") if key in rates}
        gpu_document[stage]["devices"].append({**rates, **slow, "scope": "gpu:GPU-2"})
    for check in ("gemm", "memory_bandwidth", "host_bandwidth"):
        found = getattr(speed, check)(gpu_document, REQUEST)
        told = {finding["part"]["uuid"]: finding["status"] for finding in found}
        assert told == {first["uuid"]: "pass", "GPU-2": "fail"}, check


CHECKS = ("gemm", "memory_bandwidth", "host_bandwidth", "allreduce")


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", ["NVIDIA Z900", "NVIDIA H100 80GB HBM3 MIG 1g.10gb", "NVIDIA A10"])
def test_a_gpu_that_nobody_published_has_no_floor(
    check: str, name: str, gpu_document: Document
) -> None:
    gpu_document["devices"][0]["name"] = name
    gpu_document["gemm"]["devices"][0]["tflops"] = 0.001
    assert getattr(speed, check)(gpu_document, REQUEST) == []


@pytest.mark.parametrize("check", CHECKS)
def test_a_stage_that_does_not_apply_is_not_judged(check: str, gpu_document: Document) -> None:
    for stage in gpu_document["stages"]:
        stage["status"] = "skipped"
    assert getattr(speed, check)(gpu_document, REQUEST) == []


@pytest.mark.parametrize(
    ("gpus", "bus", "expected"),
    [
        (8, 459.0, ["fail"]),
        (8, 460.0, ["pass"]),
        (8, 461.0, ["pass"]),
        (8, None, ["unknown"]),
        (4, 100.0, []),
    ],
)
def test_the_all_reduce_floor_is_that_of_eight_gpus(
    gpus: int, bus: float | None, expected: list[str], gpu_document: Document
) -> None:
    gpu_document["devices"] = [copy.deepcopy(gpu_document["devices"][0]) for _ in range(gpus)]
    gpu_document["allreduce"]["bus_gbs"] = bus
    found = speed.allreduce(gpu_document, REQUEST)
    assert [finding["status"] for finding in found] == expected
    for finding in found:
        assert (finding["observed"], finding["expected"], finding["unit"]) == (bus, 460, "GB/s")
        assert finding["part"]["name"] == "8 x NVIDIA H100 80GB HBM3"
        assert finding["part"]["kind"] == "gpu"


def test_eight_gpus_of_two_models_have_no_floor_together(gpu_document: Document) -> None:
    gpu_document["devices"] = [copy.deepcopy(gpu_document["devices"][0]) for _ in range(8)]
    gpu_document["devices"][3]["name"] = "NVIDIA H200"
    gpu_document["allreduce"]["bus_gbs"] = 1.0
    assert speed.allreduce(gpu_document, REQUEST) == []


@pytest.mark.parametrize(
    ("name", "floor"),
    [
        ("Tesla V100-SXM2-32GB", 110),
        ("NVIDIA A100-SXM4-80GB", 228),
        ("NVIDIA A100 80GB PCIe", None),
        ("NVIDIA H100 80GB HBM3", 460),
        ("NVIDIA H200", 431),
        ("NVIDIA B200", None),
    ],
)
def test_the_exchange_of_eight_has_the_floor_of_its_model(name: str, floor: float | None) -> None:
    row = published(name)
    assert row is not None
    assert row.allreduce_gbs == floor


@pytest.mark.parametrize(
    ("name", "gemm", "memory", "h2d"),
    [
        ("Tesla V100-SXM2-32GB", None, 607, 9),
        ("NVIDIA A100-SXM4-80GB", 271, 1173, 21),
        ("NVIDIA A100 80GB PCIe", 253, 970, 21),
        ("NVIDIA A100-PCIE-40GB", 253, 970, 21),
        ("NVIDIA H100 80GB HBM3", 794, 1905, 48),
        ("NVIDIA H200", 794, 2333, 48),
        ("NVIDIA B200", 1745, 4072, None),
        ("NVIDIA L40S", None, 525, None),
    ],
)
def test_names_as_the_driver_tells_them(
    name: str, gemm: float | None, memory: float, h2d: float | None
) -> None:
    row = published(name)
    assert row is not None
    assert (row.gemm_tflops, row.memory_gbs, row.h2d_gbs) == (gemm, memory, h2d)


@pytest.mark.parametrize(
    "name",
    ["", "NVIDIA H100 PCIe", "NVIDIA H100 NVL", "NVIDIA L40", "NVIDIA GB200", "NVIDIA H200 NVL"],
)
def test_names_that_only_look_alike(name: str) -> None:
    assert published(name) is None


def test_floors_are_in_the_units_of_their_names() -> None:
    """Between the slowest and the fastest part on the market: no floor is off by a thousand."""
    for row in TABLE:
        assert row.gemm_tflops is None or 50 <= row.gemm_tflops <= 3000
        assert row.memory_gbs is None or 200 <= row.memory_gbs <= 10_000
        assert row.h2d_gbs is None or 5 <= row.h2d_gbs <= 200
        assert row.allreduce_gbs is None or 20 <= row.allreduce_gbs <= 2000
