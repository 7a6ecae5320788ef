"""How the program ended, and whose fault that is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.process import Outcome
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.benchmark.judge import judge
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.benchmark.outcome import judge_run
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.benchmark.request import Request
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.benchmark.result import (
    ResultError,
    parse_result,
)

REQUEST = Request("/opt/gpulab/pytorch/bin/python", "auto", 135, [])
LAST = "gpulab_bench: step 50/150 loss 0.3 8.0 ms"


def ended(returncode: int | None, **more: Any) -> Outcome:
    return Outcome(returncode, stderr_tail=LAST, wall_s=3.2, **more)


@pytest.mark.parametrize(
    ("outcome", "status", "kind", "action"),
    [
        (
            Outcome(None, start_error="/opt/x/python: No such file or directory"),
            "fail",
            "framework",
            "--tags frameworks",
        ),
        (ended(-15, timed_out=True), "fail", "node", "look for other load"),
        (ended(None, timed_out=True, unkillable=True), "fail", "os", "reboot the node"),
        (ended(-9, oom_kills=1), "fail", "memory", "out of memory"),
        (ended(-9, oom_kills=0), "fail", "memory", "'oom'"),
        (ended(-9), "fail", "memory", "'oom'"),
        (ended(-4), "fail", "cpu", "framework unsupported"),
        (ended(-7), "fail", "memory", "a failing disk"),
        (ended(-11), "fail", "framework", "--tags frameworks"),
        (ended(-15), "unknown", "node", "run the benchmark again"),
        (ended(-64), "fail", "framework", "--tags frameworks"),
        (ended(2), "unknown", "node", "current gpulab_bench.pyz"),
        (ended(1), "fail", "framework", "--tags frameworks"),
        (ended(0, stdout="Welcome to node01!"), "fail", "framework", "--tags frameworks"),
    ],
)
def test_without_a_result(outcome: Outcome, status: str, kind: str, action: str) -> None:
    finding, result = judge_run(outcome, REQUEST)
    assert result is None
    assert (finding["id"], finding["status"]) == ("benchmark.run", status)
    assert finding["part"]["kind"] == kind
    assert action in finding["action"]
    assert "\n" not in finding["evidence"]
    if not outcome.start_error:
        assert LAST in finding["evidence"]


@pytest.mark.parametrize(
    ("error", "kind", "action"),
    [
        (("framework", "OSError: libcudart.so"), "framework", "--tags frameworks"),
        (("device", "cuda was asked for, but CUDA 13.0 sees no GPU"), "gpu", "seat and power"),
        (("out_of_memory", "CUDA out of memory"), "gpu", "free the memory"),
        (("does_not_fit", "preset internlm-large needs 217 GiB"), "node", "no hardware fault"),
        (("peer", "rank 1 on node01 stopped"), "node", "a process of the node's own group"),
        (("runtime", "CUDA error: uncorrectable ECC error encountered"), "gpu", "row-remap"),
        (("runtime", "CUDA error: unspecified launch failure"), "gpu", "Xid"),
        (
            ("runtime", "CUDA error: no kernel image is available for execution on the device"),
            "framework",
            "no hardware fault",
        ),
        (
            ("runtime", "CUDA driver version is insufficient for CUDA runtime version"),
            "os",
            "update the NVIDIA driver",
        ),
        (
            ("runtime", "put_ does not have a deterministic implementation"),
            "framework",
            "no hardware fault",
        ),
        (("runtime", "ValueError: surprise"), "framework", "--tags frameworks"),
    ],
)
def test_errors_that_the_benchmark_reports(
    error: tuple[str, str], kind: str, action: str, gpu_document: dict[str, Any]
) -> None:
    gpu_document.update(
        partial=True, error=dict(zip(("kind", "message"), error)), training=None, evaluation=None
    )
    finding, _ = judge_run(ended(1, stdout=json.dumps(gpu_document)), REQUEST)
    assert finding["status"] == "fail"
    assert finding["part"]["kind"] == kind
    assert action in finding["action"]
    assert error[1] in finding["evidence"]


def test_out_of_memory_on_a_cpu_is_the_hosts(cpu_document: dict[str, Any]) -> None:
    cpu_document.update(partial=True, error={"kind": "out_of_memory", "message": "cannot allocate"})
    finding, _ = judge_run(ended(1, stdout=json.dumps(cpu_document)), REQUEST)
    assert finding["part"]["kind"] == "memory"


def test_ranks_that_differ_fail_the_node(cpu_document: dict[str, Any]) -> None:
    cpu_document["ddp"] = {
        "loss_first": 3.5,
        "loss_last": 0.02,
        "weights_equal": False,
        "loss_spread": 0.0,
        "nonfinite_steps": 0,
    }
    judged = judge(ended(0, stdout=json.dumps(cpu_document)), REQUEST)
    assert judged["verdict"] == "fail"
    assert [each["id"] for each in judged["checks"] if each["status"] == "fail"] == [
        "benchmark.ddp.ranks_equal"
    ]


def test_a_complete_run_passes_and_is_measured(cpu_document: dict[str, Any]) -> None:
    judged = judge(ended(0, stdout=json.dumps(cpu_document)), REQUEST)
    assert judged["verdict"] == "pass"
    assert judged["result"] == cpu_document
    assert judged["checks"][0]["id"] == "benchmark.run"
    assert judged["durations_s"] == {"total": 3.2, **cpu_document["durations_s"]}
    exact = judge(Outcome(0, stdout=json.dumps(cpu_document), wall_s=3.21456), REQUEST)
    assert exact["durations_s"]["total"] == 3.215
    metrics = {metric["id"]: metric for metric in judged["metrics"]}
    assert metrics["train.step_s"] == {
        "id": "train.step_s",
        "scope": "cpu",
        "value": 0.0085,
        "unit": "s",
        "n": 140,
        "p50": 0.0085,
        "p95": 0.009,
        "p99": None,
        "baseline": None,
        "z": None,
    }
    assert metrics["accuracy.pass_at_1"]["value"] == 0.95
    assert "memory.gpu_peak" not in metrics


def test_a_partial_result_that_we_asked_for_is_a_time_out(cpu_document: dict[str, Any]) -> None:
    cpu_document.update(partial=True, stopped_by="SIGTERM", evaluation=None)
    judged = judge(ended(6, timed_out=True, stdout=json.dumps(cpu_document)), REQUEST)
    assert judged["verdict"] == "fail"
    assert judged["checks"][0]["observed"] == "timed out"
    assert judged["result"]["stopped_by"] == "SIGTERM"


def test_a_partial_result_that_somebody_else_caused_is_unknown(
    cpu_document: dict[str, Any],
) -> None:
    cpu_document.update(partial=True, stopped_by="SIGTERM", evaluation=None)
    judged = judge(ended(6, stdout=json.dumps(cpu_document)), REQUEST)
    assert judged["verdict"] == "unknown"
    assert judged["checks"][0]["action"] == "run the benchmark again"


def test_a_crash_after_the_result_is_not_overlooked(cpu_document: dict[str, Any]) -> None:
    judged = judge(ended(-11, stdout=json.dumps(cpu_document)), REQUEST)
    assert judged["verdict"] == "fail"
    assert judged["checks"][0]["observed"] == "SIGSEGV"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        ("{", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[1]", "no object"),
        ('{"schema": 2, "partial": false, "wall_s": NaN}', "contains NaN"),
        ('{"schema": 1, "partial": false}', "its schema is 1, not 2"),
        ('{"schema": 2}', "lacks the key 'partial'"),
        ('{"schema": 2, "partial": false}\nbye', "it is not JSON"),
    ],
)
def test_what_is_no_result(text: str, message: str) -> None:
    with pytest.raises(ResultError, match=message):
        parse_result(text)
