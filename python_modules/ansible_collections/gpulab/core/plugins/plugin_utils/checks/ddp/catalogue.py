"""The checks of a training over several processes, within a node or over several."""

from __future__ import annotations

from ..finding import DECLARED, Check

# As the training on one device: a healthy run ends below 0.01, without learning it stays at 1.
LOSS_RATIO_MAX = 0.5
# Same weights and same items: what differs is the rounding of different devices. Our own proposal.
LOSS_SPREAD_MAX = 1e-3

AGAIN = "run it again: ansible-playbook playbooks/benchmark_ddp.yml"

_SOURCE = "gpulab_bench ddp"
_PROPOSAL = "our proposal, to be calibrated"

RUN = Check(
    id="ddp.run",
    title="Training over nodes, each node's part",
    source=_SOURCE,
    threshold="it ended with a result; what is not clearly this node's fault is unknown, and names "
    "the rank and node that stopped",
    threshold_source="a training that does not end trained nothing",
    severity="fail",
    action=AGAIN,
)
# Checks of the document's section ``ddp``.
SECTION_CHECKS = (
    Check(
        id="ddp.loss_falls",
        title="Loss of a training over processes",
        source=_SOURCE,
        threshold=f"last loss ÷ first loss ≤ {LOSS_RATIO_MAX}",
        threshold_source=f"{_PROPOSAL}: a healthy run ends below 0.01, without learning it stays "
        "at 1",
        severity="fail",
        action=AGAIN,
    ),
    Check(
        id="ddp.ranks_equal",
        title="Weights and losses of all ranks",
        source=_SOURCE,
        threshold="all ranks hold the same weights, bit by bit; their losses on a common batch "
        f"differ by at most {LOSS_SPREAD_MAX} nat",
        threshold_source=f"data-parallel training keeps weights equal; the spread is {_PROPOSAL}",
        severity="fail",
        action=AGAIN,
    ),
    Check(
        id="ddp.nonfinite",
        title="NaN or infinity in a training over processes",
        source=_SOURCE,
        threshold="no step had a loss or gradient that was not finite",
        threshold_source="a healthy training has none",
        severity="fail",
        action=AGAIN,
    ),
)
TRANSPORT = Check(
    id="ddp.transport",
    title="NCCL's way between nodes",
    source=f"{_SOURCE}: NCCL_DEBUG=INFO",
    threshold="where `infiniband.ports_min` is declared, NCCL goes via `NET/IB` alone",
    threshold_source=f"{DECLARED}; NCCL falls back to sockets without a word",
    severity="fail",
    action=AGAIN,
)
DDP_CHECKS = (RUN, *SECTION_CHECKS, TRANSPORT)
