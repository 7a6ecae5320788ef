"""From the end of a process to what the record holds."""

from __future__ import annotations

from typing import Any

from ....module_utils.process import Outcome
from ..ddp.judge import judge_section
from ..hardware.gpu_load import verify_load
from ..verdict import verdict_of
from .catalogue import GROUP_CHECKS
from .checks import judge_checks
from .findings import NODE
from .metrics import metrics_of
from .outcome import judge_run, judge_stages
from .request import Request
from .result import number_at, section_at

# What to do where the processes of one node trained together and a check of that failed.
_WITHIN_NODE = {
    "loss_falls": "look at benchmark.learns and benchmark.sdc: where each device trains well "
    "alone, the exchange between them is wrong (benchmark.allreduce, gpu.nvlink_errors)",
    "ranks_equal": "the exchange gave the ranks different sums: look at benchmark.sdc, "
    "gpu.nvlink_errors and gpu.ecc_errors for the device at fault",
    "nonfinite": "look at benchmark.nonfinite and benchmark.sdc for the device that makes them",
}


def judge(outcome: Outcome, request: Request) -> dict[str, Any]:
    """Return ``verdict``, ``checks``, ``metrics``, ``result`` and ``durations_s`` of a run.

    Args:
        outcome: how the program ended.
        request: what was asked of it.
    """
    run, result = judge_run(outcome, request)
    checks = [run]
    metrics: list[dict[str, Any]] = []
    durations = {"total": round(outcome.wall_s, 3)}
    if result is not None:
        checks += judge_stages(result, request, outcome)
        # Without a training there is one fault to see to, and not a dozen values that it cost.
        if result.get("error") is None:
            checks += judge_checks(result, request)
            if section_at(result, "ddp"):
                checks += judge_section(section_at(result, "ddp"), NODE, GROUP_CHECKS, _WITHIN_NODE)
            checks += verify_load(section_at(result, "telemetry"), request.bus_gpus, request.spec)
        metrics = metrics_of(result)
        parts = section_at(result, "durations_s")
        durations.update(
            {name: seconds for name in parts if (seconds := number_at(parts, name)) is not None}
        )
    return {
        "verdict": verdict_of(checks),
        "checks": checks,
        "metrics": metrics,
        "result": result,
        "durations_s": durations,
    }
