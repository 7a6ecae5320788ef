"""What is judged between two nodes: by which threshold, and where that comes from."""

from __future__ import annotations

from ..finding import Check
from .observe import BANDWIDTH, LOSS, MEASURED, ROUND_TRIP, Limits

_DEFAULT = Limits()
_IPERF3 = "iperf3 --json"
_PROPOSAL = "our proposal, to be calibrated"
AGAIN = "then measure again: ansible-playbook site.yml --tags pairs"
REACH = (
    "see that the nodes reach each other where it is measured (ping), and that a firewall lets "
    "iperf3's port (pairs_port) through"
)
REPAIR_PEERS = f"all its peers are at fault: repair them first, {AGAIN}"

PAIR_CHECKS = (
    Check(
        id=MEASURED,
        title="Tests between the nodes",
        source=f"{_IPERF3}, ping",
        threshold="the tests of each pair ran; else it is unknown, never a failure",
        threshold_source="what was not measured is no pass",
        severity="fail",
        action=REACH,
    ),
    Check(
        id=BANDWIDTH,
        title="Bandwidth between the nodes, TCP",
        source=_IPERF3,
        threshold=f"each way ≥ {_DEFAULT.share_min:.0%} of the declared line rate, of two nodes "
        "the lower; not judged where none is declared",
        threshold_source="`lab_zones.<zone>.speed_mbps`, else `network.speed_mbps_min` of the "
        f"node's hardware spec; the share is {_PROPOSAL}: headers leave TCP 94 % at an MTU of "
        "1500",
        severity="fail",
        action=REPAIR_PEERS,
    ),
    Check(
        id=LOSS,
        title="Packets lost between the nodes",
        source="ping",
        threshold=f"at most {_DEFAULT.loss_percent_max:g} % of the packets",
        threshold_source=f"{_PROPOSAL}: a switched network at rest loses none",
        severity="fail",
        action=REPAIR_PEERS,
    ),
    Check(
        id=ROUND_TRIP,
        title="Round trip between the nodes",
        source="ping",
        threshold="median ≤ `network.round_trip_ms_max`, of two nodes the lower; not judged where "
        "none is declared",
        threshold_source="the node's hardware spec",
        severity="fail",
        action=REPAIR_PEERS,
    ),
)
