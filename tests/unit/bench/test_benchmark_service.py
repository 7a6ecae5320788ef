"""Requests, disks, networks, crashes."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.process import Outcome
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.benchmark import service
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.benchmark.judge import judge
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.benchmark.outcome import (
    judge_stages,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.benchmark.request import Request
from gpulab_bench import reliability
from gpulab_bench.result import to_json

Document = dict[str, Any]

PYTHON = "/opt/gpulab/pytorch/bin/python"


def request_for(**spec: Any) -> Request:
    return Request(PYTHON, "auto", 135, [], spec=spec)


@pytest.mark.parametrize(
    ("loads", "status", "observed"),
    [
        ([(120, 0), (960, 0)], "pass", 0),
        ([(120, 0), (960, 1)], "fail", 1),
        ([(120, 2), (960, 3)], "fail", 5),
        ([(0, 0)], "unknown", None),
        ([], "unknown", None),
    ],
)
def test_requests(
    loads: list[tuple[int, int]], status: str, observed: int | None, cpu_document: Document
) -> None:
    cpu_document["inference"] = {
        "loads": [{"requests": sent, "failed": failed} for sent, failed in loads]
    }
    (finding,) = service.inference(cpu_document, request_for())
    assert (finding["status"], finding["observed"]) == (status, observed)
    assert (finding["expected"], finding["unit"]) == (0, "requests")
    sent = sum(number for number, _ in loads)
    told = f"{observed} of {sent} requests failed" if sent else "no request was sent"
    assert finding["evidence"] == told
    assert ("request failed" in finding["action"]) == (status == "fail")


@pytest.mark.parametrize(
    ("read", "method", "status"),
    [
        (2000.0, "fio", "pass"),
        (1999.0, "fio", "warn"),
        (5000.0, "buffered", "unknown"),
        (None, "direct", "unknown"),
    ],
)
def test_a_disk_against_what_is_declared(
    read: float | None, method: str, status: str, cpu_document: Document
) -> None:
    cpu_document["disk"].update(read_mbs=read, method=method)
    (finding,) = service.disk(cpu_document, request_for(storage={"read_mbs_min": 2000}))
    assert (finding["id"], finding["status"]) == ("benchmark.disk_read", status)
    assert finding["part"]["name"] == "/var/tmp"  # noqa: S108  a name, no file
    assert finding["part"]["kind"] == "disk"
    evidence, action = {
        "pass": ("2000 MB/s in /var/tmp", ""),
        "warn": ("1999 MB/s in /var/tmp", "iostat"),
        "unknown": ("caches took part in 5000 MB/s", "benchmark_disk_folder")
        if read
        else ("not measured", ""),
    }[status]
    assert finding["evidence"] == evidence
    assert action in finding["action"]


def test_each_way_of_a_disk_is_held_to_its_own_limit(cpu_document: Document) -> None:
    cpu_document["disk"].update(read_mbs=3000.0, write_mbs=1500.0)
    limits = {"read_mbs_min": 2999, "write_mbs_min": 1501}
    read, write = service.disk(cpu_document, request_for(storage=limits))
    assert (read["id"], write["id"]) == ("benchmark.disk_read", "benchmark.disk_write")
    assert (read["status"], read["observed"], read["expected"]) == ("pass", 3000.0, 2999)
    assert (write["status"], write["observed"], write["expected"]) == ("warn", 1500.0, 1501)
    assert write["unit"] == "MB/s"
    # One way alone, and not in a run that has no such stage.
    (only,) = service.disk(cpu_document, request_for(storage={"write_mbs_min": 1500}))
    assert (only["id"], only["status"]) == ("benchmark.disk_write", "pass")
    for stage in cpu_document["stages"]:
        stage["status"] = "skipped"
    assert service.disk(cpu_document, request_for(storage=limits)) == []
    assert service.inference(cpu_document, request_for()) == []


def test_a_disk_of_which_nothing_is_declared_is_measured_only(cpu_document: Document) -> None:
    cpu_document["disk"]["read_mbs"] = 0.001
    assert service.disk(cpu_document, request_for()) == []


@pytest.mark.parametrize(
    ("ways", "ports", "expected"),
    [
        (["NET/IB", "P2P"], 1, ["pass"]),
        (["NET/Socket", "P2P"], 1, ["fail"]),
        (["NET/IB", "NET/Socket"], 1, ["fail"]),
        (["P2P"], 1, []),  # within a node
        (["NET/Socket"], None, []),  # no RDMA declared
        # Nothing of it was read.
        (None, 1, ["unknown"]),
        ([], 1, ["unknown"]),
        (None, None, []),
    ],
)
def test_the_network_that_nccl_took(
    ways: list[str] | None, ports: int | None, expected: list[str], gpu_document: Document
) -> None:
    gpu_document["allreduce"]["transports"] = ways
    spec = {"infiniband": {"ports_min": ports}} if ports else {}
    found = service.transport(gpu_document, request_for(**spec))
    assert [finding["status"] for finding in found] == expected


def crashed(document: Document, ended: str = "crashed") -> Document:
    """A run in which the first worker died in training, and the second came through."""
    launches = [
        reliability.launch(
            "single", ["train"], ended, stage="train", returncode=-9, seconds=3.0, tail="step 50"
        ),
        reliability.launch(
            "single", ["train"], "done", stage=None, returncode=0, seconds=9.0, tail=""
        ),
    ]
    document["reliability"] = reliability.summarise(launches, 1, 150, 0)
    return document


def test_a_worker_that_died_and_came_through_is_a_warning(cpu_document: Document) -> None:
    (finding,) = service.crashes(crashed(cpu_document), request_for())
    assert (finding["status"], finding["severity"], finding["observed"]) == ("warn", "warn", 1)
    assert "1 of 2 launches failed: single crashed by SIGKILL in stage train" in finding["evidence"]
    assert (finding["expected"], finding["unit"]) == (0, "launches")


@pytest.mark.parametrize("ended", ["crashed", "failed", "hung"])
def test_each_bad_end_of_a_worker_is_told(ended: str, cpu_document: Document) -> None:
    (finding,) = service.crashes(crashed(cpu_document, ended), request_for())
    assert f"single {ended}" in finding["evidence"]


@pytest.mark.parametrize("lost", ["failed", "attempted"])
def test_half_a_count_of_launches_is_unknown(lost: str, cpu_document: Document) -> None:
    crashed(cpu_document)["reliability"][lost] = None
    (finding,) = service.crashes(cpu_document, request_for())
    assert (finding["status"], finding["expected"]) == ("unknown", 0)


def test_no_crash_passes_and_no_word_of_it_is_unknown(cpu_document: Document) -> None:
    (finding,) = service.crashes(cpu_document, request_for())
    assert finding["status"] == "pass"
    cpu_document["reliability"] = None
    (finding,) = service.crashes(cpu_document, request_for())
    assert finding["status"] == "unknown"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (("crash", "killed by SIGKILL: step 50/150"), "memory"),
        (("crash", "killed by SIGILL: it said nothing"), "cpu"),
        (("crash", "killed by SIGSEGV: it said nothing"), "framework"),
        (("crash", "exit status 134: terminate called"), "framework"),
        (("hung", "took longer than its limit and was ended after 60 s: NCCL"), "node"),
        (("disk", "/data: Permission denied"), "disk"),
        (("out_of_memory", "DefaultCPUAllocator: can't allocate memory"), "memory"),
        (("runtime", "DistBackendError: NCCL error: CUDA error: unspecified"), "gpu"),
    ],
)
def test_a_stage_that_failed_has_a_finding_of_its_own(
    error: tuple[str, str], kind: str, gpu_document: Document, cpu_document: Document
) -> None:
    document = gpu_document if kind == "gpu" else cpu_document
    stage = next(one for one in document["stages"] if one["name"] == "allreduce")
    stage.update(status="error", error=dict(zip(("kind", "message"), error)))
    document["allreduce"] = None
    (finding,) = judge_stages(document, request_for(), Outcome(0))
    assert (finding["id"], finding["status"]) == ("benchmark.stage.allreduce", "fail")
    assert finding["part"]["kind"] == kind
    assert finding["action"]


def test_a_run_without_a_training_has_one_finding_and_keeps_its_numbers(
    cpu_document: Document,
) -> None:
    error = {"kind": "crash", "message": "killed by SIGKILL: step 50/150"}
    crashed(cpu_document).update(partial=True, error=error, training=None, evaluation=None)
    for stage in cpu_document["stages"]:
        if stage["name"] == "train":
            stage.update(status="error", error=error)
    judged = judge(Outcome(1, stdout=to_json(cpu_document), oom_kills=1), request_for())
    assert [(one["id"], one["status"]) for one in judged["checks"]] == [("benchmark.run", "fail")]
    assert "out of memory" in judged["checks"][0]["action"]
    values = {metric["id"]: metric["value"] for metric in judged["metrics"]}
    assert (values["reliability.crash_rate"], values["reliability.restarts"]) == (0.5, 1)
    assert values["train.tokens_per_s"] is None
