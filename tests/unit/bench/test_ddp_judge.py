"""One node's part of a training over several: what its end means."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ddp_samples import DDP, document

from ansible_collections.gpulab.core.plugins.module_utils.process import Outcome
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.ddp.judge import judge


def judged(stdout: str, **how: Any) -> dict[str, Any]:
    return judge(Outcome(**{"returncode": 0, "stdout": stdout, **how}), "node01")


def status_of(found: dict[str, Any], name: str) -> str:
    return str(next(check["status"] for check in found["checks"] if check["id"] == name))


def test_a_healthy_training_passes_and_is_the_fleets() -> None:
    found = judged(document(DDP))
    assert found["verdict"] == "pass"
    assert {metric["id"]: metric["value"] for metric in found["metrics"]} == {
        "ddp.tokens_per_s": 7000.0,
        "ddp.efficiency": 0.7,
    }
    assert {metric["scope"] for metric in found["metrics"]} == {"fleet"}


def test_another_nodes_part_says_only_that_it_ended() -> None:
    found = judged(document())
    assert [check["id"] for check in found["checks"]] == ["ddp.run"]
    assert (found["verdict"], found["metrics"]) == ("pass", [])


@pytest.mark.parametrize("ddp", [None, DDP])
def test_what_a_node_moved_while_all_trained_is_its_own(ddp: object) -> None:
    """Also of a node whose ranks are not the first: 10 s, of which 100 MB/s and 8 Gb/s out."""
    moved = {
        "seconds": 10.0,
        "disk": {"read_bytes": 0, "written_bytes": 1_000_000_000},
        "network": {"received_bytes": 5_000_000_000, "sent_bytes": 10_000_000_000},
    }
    told = json.dumps({**json.loads(document(ddp)), "usage": moved})
    found = {one["id"]: one for one in judged(told)["metrics"] if one["scope"] == "node"}
    assert {name: one["value"] for name, one in found.items()} == {
        "ddp.disk_read": 0.0,
        "ddp.disk_write": 100.0,
        "ddp.network_received": 4.0,
        "ddp.network_sent": 8.0,
    }
    unread = json.dumps({**json.loads(document(ddp)), "usage": {**moved, "network": None}})
    ids = {one["id"] for one in judged(unread)["metrics"]}
    assert "ddp.disk_read" in ids
    assert "ddp.network_sent" not in ids


def test_a_model_that_all_share_has_no_efficiency() -> None:
    shared = {**DDP, "way": "sharded", "efficiency": None, "tokens_per_s_alone": None}
    found = judged(document(shared))
    assert found["verdict"] == "pass"
    assert [metric["id"] for metric in found["metrics"]] == ["ddp.tokens_per_s"]


@pytest.mark.parametrize(
    ("change", "check", "status"),
    [
        ({"loss_last": 3.4}, "ddp.loss_falls", "fail"),
        ({"loss_last": None}, "ddp.loss_falls", "unknown"),
        ({"weights_equal": False}, "ddp.ranks_equal", "fail"),
        ({"loss_spread": 0.5}, "ddp.ranks_equal", "fail"),
        ({"loss_spread": None}, "ddp.ranks_equal", "unknown"),
        ({"nonfinite_steps": 1}, "ddp.nonfinite", "fail"),
        ({"nonfinite_steps": None}, "ddp.nonfinite", "unknown"),
    ],
)
def test_every_check_can_fail(change: dict[str, Any], check: str, status: str) -> None:
    found = judged(document({**DDP, **change}))
    assert status_of(found, check) == status
    assert found["verdict"] == status


@pytest.mark.parametrize(
    ("ways", "rdma", "statuses"),
    [
        (["NET/IB", "P2P"], True, ["pass"]),
        (["NET/IB", "NET/Socket"], True, ["fail"]),
        ([], True, ["unknown"]),
        # Within a node no network is taken; gloo, and a training that broke off, tell no ways.
        (["P2P", "SHM"], True, []),
        (None, True, []),
        (["NET/Socket"], False, []),
    ],
)
def test_nccl_goes_by_the_network_that_is_declared(
    ways: list[str] | None, rdma: bool, statuses: list[str]
) -> None:
    outcome = Outcome(returncode=0, stdout=document(DDP, transports=ways))
    checks = judge(outcome, "node01", rdma=rdma)["checks"]
    assert [c["status"] for c in checks if c["id"] == "ddp.transport"] == statuses


@pytest.mark.parametrize(
    ("kind", "status", "part"),
    [
        ("peer", "unknown", "node"),
        ("does_not_fit", "fail", "node"),
        ("device", "fail", "gpu"),
        ("framework", "fail", "framework"),
        ("out_of_memory", "fail", "node"),
        ("hung", "unknown", "node"),
        ("crash", "unknown", "node"),
    ],
)
def test_an_error_is_laid_to_what_can_be_at_fault(kind: str, status: str, part: str) -> None:
    message = "rank 1 on node02 stopped in the middle of the training"
    run = judged(document(error={"kind": kind, "message": message}), returncode=1)["checks"][0]
    assert (run["status"], run["part"]["kind"]) == (status, part)
    assert run["evidence"] == f"{kind}: {message}"
    assert "benchmark_ddp.yml" in run["action"]


@pytest.mark.parametrize(
    ("how", "status", "words"),
    [
        ({"timed_out": True, "stdout": ""}, "unknown", "did not end in its time"),
        ({"returncode": 1, "stderr_tail": "boom"}, "unknown", "exit 1: boom"),
        ({"returncode": None, "start_error": "no such file"}, "fail", "did not start"),
        ({"stdout": "not json"}, "unknown", "exit 0"),
        ({"stdout": '{"schema": 99}'}, "unknown", "exit 0"),
    ],
)
def test_without_a_document_nothing_passes(how: dict[str, Any], status: str, words: str) -> None:
    run = judged(**{"stdout": "", **how})["checks"][0]
    assert run["status"] == status
    assert words in run["evidence"]
