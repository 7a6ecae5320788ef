"""Cases of the benchmark's checks: whole runs, from the end of the process to the findings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench_documents import CPU, GPU, healthy
from cases_checks import CASES as OF_TRAINING
from cases_checks import Change, Document, put
from check_case import Case, Findings, Fixture
from ddp_samples import DDP

from ansible_collections.gpulab.core.plugins.module_utils.process import Outcome
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.benchmark.judge import judge
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.benchmark.request import Request
from gpulab_bench.result import to_json

_H100 = {"bdf": GPU["bdf"], "slot": "3", "name": "H100 SXM5 80GB"}
_BUDGET_S = 135
_SPEC = {
    "storage": {"read_mbs_min": 2000, "write_mbs_min": 1000},
    "infiniband": {"ports_min": 1},
}


def run(
    *changes: Change | None,
    device: dict[str, Any] = GPU,
    spec: Mapping[str, Any] = _SPEC,
    **outcome: Any,
) -> Fixture:
    """Judge a healthy run, after these changes of its document."""

    def judged(_: Path) -> Findings:
        document = healthy(device)
        document["allreduce"]["transports"] = ["NET/IB", "P2P"]
        for change in changes:
            if change is not None:
                change(document)
        request = Request("/opt/python", "auto", _BUDGET_S, [_H100], spec=spec)
        ended = Outcome(**{"returncode": 0, "stdout": to_json(document), **outcome})
        checks: Findings = judge(ended, request)["checks"]
        return checks

    return judged


def of_device(stage: str, **values: Any) -> Change:
    """Change what a stage says of the first device."""

    def change(document: Document) -> None:
        document[stage]["devices"][0].update(values)

    return change


def eight(bus_gbs: float | None) -> Change:
    """Give the node eight GPUs, which exchange at this rate, in GB/s."""

    def change(document: Document) -> None:
        document["devices"] = [
            {**document["devices"][0], "uuid": f"GPU-{number}"} for number in range(8)
        ]
        document["allreduce"]["bus_gbs"] = bus_gbs

    return change


def _failed_stage(document: Document) -> None:
    stage = next(one for one in document["stages"] if one["name"] == "allreduce")
    stage.update(status="error", error={"kind": "hung", "message": "took longer than its limit"})
    document["allreduce"] = None


def _differs_from_itself(document: Document) -> None:
    device = document["sdc"]["devices"][0]
    device["runs"] = [device["runs"][0], {**device["runs"][1], "weights": "00"}]


def _trained_elsewhere(document: Document) -> None:
    for gpu in (document["device"], *document["devices"]):
        gpu["bdf"] = "0000:5e:00.0"


def _ddp(**values: Any) -> Change:
    return put("ddp", value={**DDP, **values})


def _of_training(check: str) -> Case:
    """Take a check's case from the table of its own test: the first change for each answer."""
    changes: dict[str, Change | None] = {}
    for name, change, status in OF_TRAINING:
        if name == check:
            changes.setdefault(status, change)
    bad = "fail" if "fail" in changes else "warn"
    return Case(run(changes["pass"]), run(changes[bad]), run(changes["unknown"]))


CASES: dict[str, Case] = {
    "benchmark.run": Case(
        run(),
        run(returncode=-11),
        run(returncode=2, stdout="", stderr_tail="error: unrecognised arguments"),
    ),
    "benchmark.stage.<stage>": Case(
        "a stage that ends has no finding of its own: the checks judge what it measured",
        run(_failed_stage),
        "a stage that was not reached leaves its checks unknown",
    ),
    "benchmark.device": Case(run(), run(device=CPU), run(put("device", value=None))),
    **{
        f"benchmark.{check}": _of_training(check)
        for check in dict.fromkeys(c[0] for c in OF_TRAINING)
    },
    "benchmark.learns": Case(
        run(), run(of_device("sdc", loss_last=3.6)), run(of_device("sdc", loss_last=None))
    ),
    "benchmark.sdc": Case(run(), run(_differs_from_itself), run(put("sdc", value=None))),
    "benchmark.gemm": Case(
        run(), run(of_device("gemm", tflops=635.0)), run(of_device("gemm", tflops=None))
    ),
    "benchmark.memory_bandwidth": Case(
        run(),
        run(of_device("memory_bandwidth", device_gbs=1904.0)),
        run(of_device("memory_bandwidth", device_gbs=None)),
    ),
    "benchmark.host_bandwidth": Case(
        run(),
        run(of_device("memory_bandwidth", h2d_gbs=24.0)),
        run(of_device("memory_bandwidth", h2d_gbs=None)),
    ),
    "benchmark.allreduce": Case(run(eight(461.0)), run(eight(459.0)), run(eight(None))),
    "benchmark.inference": Case(
        run(),
        run(put("inference", value={"loads": [{"requests": 120, "failed": 1}]})),
        run(put("inference", value=None)),
    ),
    "benchmark.disk_read": Case(
        run(), run(put("disk", "read_mbs", value=1999.0)), run(put("disk", value=None))
    ),
    "benchmark.disk_write": Case(
        run(),
        run(put("disk", "write_mbs", value=999.0)),
        run(put("disk", "method", value="buffered")),
    ),
    "benchmark.transport": Case(
        run(),
        run(put("allreduce", "transports", value=["NET/Socket", "P2P"])),
        run(put("allreduce", value=None)),
    ),
    "benchmark.crashes": Case(
        run(), run(put("reliability", "failed", value=1)), run(put("reliability", value=None))
    ),
    "benchmark.untrained": Case(
        "a GPU that was trained on is judged by benchmark.learns",
        "a GPU that was not trained on has not shown a fault",
        run(_trained_elsewhere),
    ),
    "benchmark.ddp.loss_falls": Case(
        run(_ddp()), run(_ddp(loss_last=3.4)), run(_ddp(loss_last=None))
    ),
    "benchmark.ddp.ranks_equal": Case(
        run(_ddp()), run(_ddp(weights_equal=False)), run(_ddp(weights_equal=None))
    ),
    "benchmark.ddp.nonfinite": Case(
        run(_ddp()), run(_ddp(nonfinite_steps=1)), run(_ddp(nonfinite_steps=None))
    ),
}
