"""Silent data corruption: the vote, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.benchmark import checks, sdc
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.benchmark.request import Request
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.benchmark.sdc import vote

H100 = {"bdf": "0000:3b:00.0", "slot": "3", "name": "H100 SXM5 80GB"}
REQUEST = Request("/opt/gpulab/pytorch/bin/python", "auto", 135, [H100])


def device(*results: str, name: str = "H100", software: str = "torch 2.13") -> dict[str, Any]:
    """A device whose runs gave these results."""
    runs = [{"logits": "00", "gradients": "11", "losses": result} for result in results]
    return {"scope": "gpu:GPU-1", "name": name, "software": software, "runs": runs}


@pytest.mark.parametrize(
    ("devices", "expected"),
    [
        ([], []),
        ([device("a", "a")], ["alone"]),
        ([device("a", "b")], ["unstable"]),
        ([device("a")], ["unstable"]),  # once is no repetition
        ([device()], ["unstable"]),
        ([device("a", "a"), device("a", "a")], ["agrees", "agrees"]),
        # Two can only disagree.
        ([device("a", "a"), device("b", "b")], ["undecided", "undecided"]),
        ([device("a", "a"), device("b", "b"), device("a", "a")], ["agrees", "outvoted", "agrees"]),
        ([device(x, x) for x in "aabb"], ["undecided"] * 4),
        ([device(x, x) for x in "abc"], ["undecided"] * 3),
        # Half is no majority, more than half is.
        ([device(x, x) for x in "aaabb"], ["agrees"] * 3 + ["outvoted"] * 2),
        # One that does not agree with itself has no vote: the other two can only disagree.
        (
            [device("a", "b"), device("a", "a"), device("b", "b")],
            ["unstable", "undecided", "undecided"],
        ),
        # Another model or software rounds differently, and is no witness.
        ([device("a", "a"), device("b", "b", name="A100")], ["alone", "alone"]),
        ([device("a", "a"), device("b", "b", software="torch 2.12")], ["alone", "alone"]),
    ],
)
def test_vote(devices: list[dict[str, Any]], expected: list[str]) -> None:
    assert vote(devices) == expected


def test_any_digest_counts() -> None:
    """A gradient may differ where the loss does not."""
    wrong = device("a", "a")
    wrong["runs"][1] = {**wrong["runs"][1], "gradients": "12"}
    assert vote([wrong]) == ["unstable"]


def test_a_gpu_that_differs_from_itself_fails(gpu_document: dict[str, Any]) -> None:
    runs = gpu_document["sdc"]["devices"][0]["runs"]
    gpu_document["sdc"]["devices"][0]["runs"] = [runs[0], {**runs[1], "weights": "00"}]
    (finding,) = sdc.sdc(gpu_document, REQUEST)
    assert (finding["status"], finding["observed"]) == ("fail", "unstable")
    assert finding["part"]["slot"] == "3"
    assert "out of service" in finding["action"]


def test_two_gpus_that_disagree_both_fail_and_the_action_says_how_to_tell(
    gpu_document: dict[str, Any],
) -> None:
    mine = gpu_document["sdc"]["devices"][0]
    other = {**mine, "scope": "gpu:GPU-2", "runs": [{**mine["runs"][0], "losses": "00"}] * 2}
    gpu_document["sdc"]["devices"].append(other)
    gpu_document["devices"].append({**gpu_document["devices"][0], "uuid": "GPU-2"})
    findings = sdc.sdc(gpu_document, REQUEST)
    assert [finding["observed"] for finding in findings] == ["undecided"] * 2
    assert all("a third of its kind" in finding["action"] for finding in findings)


def test_a_healthy_device_passes(
    cpu_document: dict[str, Any], gpu_document: dict[str, Any]
) -> None:
    for document in (cpu_document, gpu_document):
        (finding,) = sdc.sdc(document, REQUEST)
        assert (finding["status"], finding["observed"]) == ("pass", "alone")
        assert finding["expected"] == "agrees"
    processor = sdc.sdc(cpu_document, REQUEST)[0]["part"]
    assert (processor["kind"], processor["name"]) == ("cpu", "Intel(R) Xeon(R) Processor")


@pytest.mark.parametrize("kind", ["cpu_document", "gpu_document"])
def test_a_device_that_was_not_reached_is_unknown(
    kind: str, request: pytest.FixtureRequest
) -> None:
    document = request.getfixturevalue(kind)
    document["sdc"] = None
    (finding,) = sdc.sdc(document, REQUEST)
    assert finding["status"] == "unknown"


@pytest.mark.parametrize(
    ("first", "last", "status"),
    [(3.5, 2.9, "pass"), (3.5, 3.5, "fail"), (3.5, 3.6, "fail"), (3.5, None, "unknown")],
)
def test_every_device_must_learn(
    first: float, last: float | None, status: str, gpu_document: dict[str, Any]
) -> None:
    gpu_document["sdc"]["devices"][0].update(loss_first=first, loss_last=last)
    (finding,) = checks.learns(gpu_document, REQUEST)
    assert (finding["id"], finding["status"]) == ("benchmark.learns", status)
    assert finding["part"]["bdf"] == "0000:3b:00.0"
