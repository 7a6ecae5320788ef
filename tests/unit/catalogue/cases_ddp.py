"""Cases of the checks of a training over several nodes: ends of one node's part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from check_case import Case, Findings, Fixture
from ddp_samples import DDP, document

from ansible_collections.gpulab.core.plugins.module_utils.process import Outcome
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.ddp.judge import judge


def ended(error: dict[str, str] | None = None, **changes: Any) -> Fixture:
    """Judge the part of the first node, after these changes of its section, or an error."""

    def judged(_: Path) -> Findings:
        ddp = None if error else {**DDP, **changes}
        outcome = Outcome(returncode=bool(error), stdout=document(ddp, error))
        checks: Findings = judge(outcome, "node01")["checks"]
        return checks

    return judged


def by_rdma(*ways: str) -> Fixture:
    """Judge the part of a node with InfiniBand, whose NCCL went these ways."""

    def judged(_: Path) -> Findings:
        outcome = Outcome(returncode=0, stdout=document(DDP, transports=list(ways)))
        checks: Findings = judge(outcome, "node01", rdma=True)["checks"]
        return checks

    return judged


CASES = {
    "ddp.run": Case(
        ended(),
        ended({"kind": "device", "message": "CUDA sees no GPU"}),
        ended({"kind": "peer", "message": "rank 1 on node02 stopped"}),
    ),
    "ddp.loss_falls": Case(ended(), ended(loss_last=3.4), ended(loss_last=None)),
    "ddp.ranks_equal": Case(ended(), ended(loss_spread=0.5), ended(loss_spread=None)),
    "ddp.transport": Case(by_rdma("NET/IB", "P2P"), by_rdma("NET/Socket"), by_rdma()),
    "ddp.nonfinite": Case(ended(), ended(nonfinite_steps=1), ended(nonfinite_steps=None)),
}
