"""Each check passes, fails and does not know, on documents that the benchmark could print."""

from __future__ import annotations

from typing import Any, Optional

import pytest
from cases_checks import CASES, Change, Document

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.benchmark import checks
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.benchmark.request import (
    CheckLimits,
    Request,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.finding import part
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.verdict import verdict_of

Bus = Optional[list[dict[str, Any]]]

SMOKE = CheckLimits()
H100 = {"bdf": "0000:3b:00.0", "slot": "3", "name": "H100 SXM5 80GB"}
OTHER = {"bdf": "0000:5e:00.0", "slot": "4", "name": "H100 SXM5 80GB"}


def request_for(device: str = "auto", bus: Bus = None, limits: CheckLimits = SMOKE) -> Request:
    return Request("/opt/gpulab/pytorch/bin/python", device, 135, bus, limits)


@pytest.mark.parametrize(("check", "change", "status"), CASES)
@pytest.mark.parametrize("kind", ["cpu_document", "gpu_document"])
def test_check(
    kind: str, check: str, change: Change | None, status: str, request: pytest.FixtureRequest
) -> None:
    document = request.getfixturevalue(kind)
    if change is not None:
        change(document)
    finding = getattr(checks, check)(document, request_for(bus=[H100]))
    assert finding["id"] == f"benchmark.{check}"
    assert finding["status"] == status
    assert bool(finding["action"]) == (status != "pass")
    assert finding["evidence"]


def test_every_check_has_a_case_for_each_answer() -> None:
    """The device check has a table of its own below; what is judged by part has its own files."""
    answers: dict[str, set[str]] = {}
    for check, _, status in CASES:
        answers.setdefault(check, set()).add("fail" if status == "warn" else status)
    judged = {finding["id"] for finding in checks.judge_checks({}, request_for())}
    own_tables = {"benchmark.device", "benchmark.crashes"}
    assert judged == {f"benchmark.{check}" for check in answers} | own_tables
    assert all(statuses == {"pass", "fail", "unknown"} for statuses in answers.values())


@pytest.mark.parametrize(
    ("asked", "ran", "bus", "status", "kind"),
    [
        ("cpu", "cpu", [H100], "pass", "cpu"),
        ("cpu", "cpu", None, "pass", "cpu"),
        ("auto", "cpu", [], "pass", "cpu"),
        ("auto", "gpu", [H100], "pass", "gpu"),
        ("auto", "gpu", None, "pass", "gpu"),
        ("cuda", "gpu", None, "pass", "gpu"),
        ("auto", "cpu", None, "unknown", "node"),
        ("auto", "cpu", [H100], "fail", "framework"),  # this build of PyTorch has no CUDA
        ("cuda", "cpu", [H100], "fail", "framework"),
        ("cuda", "cpu", [], "fail", "gpu"),
        ("cpu", "gpu", [H100], "fail", "gpu"),
    ],
)
def test_device_check(
    asked: str, ran: str, bus: Bus, status: str, kind: str, request: pytest.FixtureRequest
) -> None:
    document = request.getfixturevalue(f"{ran}_document")
    finding = checks.device(document, request_for(asked, bus))
    assert finding["status"] == status
    assert finding["part"]["kind"] == kind
    assert bool(finding["action"]) == (status != "pass")


@pytest.mark.parametrize(
    ("bus", "left"),
    [([H100], []), ([H100, OTHER], ["0000:5e:00.0"]), ([], []), (None, [])],
)
def test_gpus_that_were_not_trained_on_are_unknown(
    gpu_document: Document, bus: Bus, left: list[str]
) -> None:
    gpu_document["device"]["bdf"] = "0000:3b:00.0"
    found = checks.untrained(gpu_document, request_for("auto", bus))
    assert [finding["part"]["bdf"] for finding in found] == left
    assert all(finding["status"] == "unknown" for finding in found)
    verdict = verdict_of(checks.judge_checks(gpu_document, request_for("auto", bus)))
    assert verdict == ("warn" if left else "pass")


def test_a_run_on_the_cpu_says_nothing_of_gpus(cpu_document: Document) -> None:
    assert checks.untrained(cpu_document, request_for("cpu", [H100])) == []


def test_device_check_does_not_know_without_a_device(cpu_document: Document) -> None:
    cpu_document["device"] = None
    assert checks.device(cpu_document, request_for("auto", []))["status"] == "unknown"


@pytest.mark.parametrize(
    ("bus", "part"),
    [
        (
            [H100],
            {
                "kind": "gpu",
                "name": "H100 SXM5 80GB",
                "serial": "",
                "bdf": H100["bdf"],
                "slot": "3",
                "uuid": "",
                "port": "",
            },
        ),
        (
            [H100, OTHER],
            part("os", "NVIDIA driver"),
        ),
    ],
)
def test_a_cuda_build_that_sees_no_gpu_is_no_framework_fault(
    bus: Bus, part: dict[str, str], cpu_document: Document
) -> None:
    cpu_document["environment"]["cuda_build"] = "13.0"
    finding = checks.device(cpu_document, request_for("auto", bus))
    assert finding["status"] == "fail"
    assert finding["part"] == part
    assert "driver" in finding["action"]


def test_a_fault_of_a_gpu_names_its_address_and_slot(gpu_document: Document) -> None:
    gpu_document["evaluation"]["exact_match"] = 0.2
    finding = checks.exact_match(gpu_document, request_for(bus=[OTHER, H100]))
    assert finding["part"] == {
        "kind": "gpu",
        "name": "NVIDIA H100 80GB HBM3",
        "serial": "",
        "bdf": "0000:3b:00.0",
        "slot": "3",
        "uuid": "GPU-6f1c2b8e-0000-4a5b-9c3d-2f1e0d9c8b7a",
        "port": "",
    }
    assert "device: cpu" in finding["action"]


@pytest.mark.parametrize(
    ("check", "limits"),
    [
        ("exact_match", CheckLimits(exact_match_min=1.1)),
        ("loss_falls", CheckLimits(loss_ratio_max=0.001)),
        ("nonfinite", CheckLimits(nonfinite_steps_max=-1)),
        ("step_jitter", CheckLimits(step_jitter_max=-100.0)),
    ],
)
def test_limits_decide(check: str, limits: CheckLimits, cpu_document: Document) -> None:
    finding = getattr(checks, check)(cpu_document, request_for(limits=limits))
    assert finding["status"] in {"fail", "warn"}


def test_a_pause_of_the_scheduler_is_jitter_on_a_gpu_only(
    cpu_document: Document, gpu_document: Document
) -> None:
    for document, status in ((cpu_document, "pass"), (gpu_document, "warn")):
        document["training"]["step_s"]["p95"] = 0.07
        assert checks.step_jitter(document, request_for())["status"] == status


def test_a_healthy_run_passes_and_an_empty_document_is_unknown(cpu_document: Document) -> None:
    assert verdict_of(checks.judge_checks(cpu_document, request_for("auto", []))) == "pass"
    nothing = checks.judge_checks({}, request_for("auto", []))
    assert {finding["status"] for finding in nothing} == {"unknown"}
    assert verdict_of(nothing) == "unknown"


OF_TRAINING = {"nonfinite", "loss_falls", "exact_match", "step_time", "step_jitter"}


def in_shares(document: Document, way: str | None) -> set[str]:
    """Which checks are unknown of a node whose stage train had nothing to do."""
    for stage in document["stages"]:
        if stage["name"] in ("train", "inference", "evaluation"):
            stage["status"] = "skipped"
    document.update(training=None, evaluation=None, memory=None, inference=None)
    document["ddp"] = None if way is None else {"way": way}
    found = checks.judge_checks(document, request_for(bus=[H100]))
    return {one["id"].rpartition(".")[2] for one in found if one["status"] == "unknown"}


def test_a_model_that_all_gpus_share_is_judged_by_their_training(gpu_document: Document) -> None:
    assert not in_shares(gpu_document, "sharded") & OF_TRAINING


@pytest.mark.parametrize("way", [None, "replicated"])
def test_without_any_training_its_checks_are_unknown(
    gpu_document: Document, way: str | None
) -> None:
    assert in_shares(gpu_document, way) >= OF_TRAINING


def test_the_jitter_is_told_as_a_ratio(gpu_document: Document) -> None:
    gpu_document["training"]["step_s"].update(median=0.01, p95=0.04)
    finding = checks.step_jitter(gpu_document, request_for())
    assert (finding["status"], finding["observed"], finding["expected"]) == ("pass", 4.0, 4.0)
    gpu_document["training"]["step_s"]["p95"] = 0.041
    finding = checks.step_jitter(gpu_document, request_for())
    assert (finding["status"], finding["observed"]) == ("warn", 4.1)


def test_a_gpu_that_pytorch_misses_is_told_by_its_address(cpu_document: Document) -> None:
    finding = checks.device(cpu_document, request_for("cuda", [H100, OTHER]))
    assert "on the PCI bus: 0000:3b:00.0, 0000:5e:00.0; CUDA build" in finding["evidence"]
    finding = checks.device(cpu_document, request_for("cuda", []))
    assert "on the PCI bus: none; CUDA build of PyTorch: none" in finding["evidence"]
