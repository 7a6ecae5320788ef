"""Whether NCCL took the network that was declared, by what its own log says."""

from __future__ import annotations

from ..finding import Check, Finding, part

RDMA = "NET/IB"
_NETWORK = part("nic", "NCCL's network")
_ACTION = (
    "see that the container or job sees /dev/infiniband, that NCCL_IB_DISABLE and NCCL_NET are "
    "unset, that NCCL_IB_HCA names the port that is up, and that libibverbs is installed"
)


def judge_ways(check: Check, ways: object) -> Finding | None:
    """Judge the ways that data took where InfiniBand or RoCE is declared.

    NCCL falls back to sockets without a word, at a fifth of the speed.

    Args:
        check: whose finding it is.
        ways: ``transports`` of the benchmark's document; one that names none is unknown.

    Returns:
        None where all ways stayed within a node: no network was taken.
    """
    if not isinstance(ways, list) or not ways:
        evidence = "NCCL's log names no way between the GPUs"
        return check.finding("unknown", _NETWORK, None, RDMA, evidence=evidence)
    networks = [str(way) for way in ways if str(way).startswith("NET/")]
    if not networks:
        return None
    wrong = [way for way in networks if way != RDMA]
    return check.finding(
        "fail" if wrong else "pass",
        _NETWORK,
        ", ".join(networks),
        RDMA,
        evidence=f"NCCL went via {', '.join(networks)}",
        action=_ACTION,
    )
