"""What passes between any two nodes is what the declaration says, and nothing else.

Nodes in containers share the kernel's log with nobody (nf_log_all_netns is off), so that what is
logged shows here as what is counted.
"""

from __future__ import annotations

import ipaddress
import re

import pytest
from firewall_packets.matrix import Machines, differences, patiently, probes

from ansible_collections.gpulab.core.plugins.plugin_utils.firewall.policy import Policy
from ansible_collections.gpulab.core.plugins.plugin_utils.firewall.reach import is_allowed

#: Where the rates of flows have no say: nmap looks at a port more than once.
NMAP_SKIPS = {"22", "2222", "514"}


def tell(said: str) -> None:
    print(f"\n{said}")  # noqa: T201  what the proof costs belongs into the output


def test_what_passes_is_what_is_declared(machines: Machines) -> None:
    lines, said = differences(machines, machines.hosts)
    tell(said)
    assert lines == []


@pytest.mark.parametrize("sender", ["head01", "node01", "node02", "edge01"])
def test_receivers_and_routers_alone_are_enough(machines: Machines, sender: str) -> None:
    # Between a node and the strangers there is the router; others are on one wire with them.
    receivers = machines.hosts if sender in machines.lab.groups["compute"] else machines.guarded()
    with machines.without_firewall([sender]):
        lines, said = differences(machines, [sender], receivers)
    tell(said)
    assert lines == []


@pytest.mark.parametrize("sender", ["head01", "node01", "node02", "edge01"])
def test_senders_alone_are_enough(machines: Machines, sender: str) -> None:
    with machines.without_firewall([name for name in machines.guarded() if name != sender]):
        lines, said = differences(machines, [sender])
    tell(said)
    assert lines == []


def test_a_port_opened_by_hand_is_found(machines: Machines) -> None:
    machines.ssh("node01", "nft insert rule inet gpulab input tcp dport 40000 accept")
    with machines.without_firewall(["node02"]):
        lines, _ = differences(machines, ["node02"])
    # On the fabric a flow lets everything through already.
    targets = [
        machines.address("node01", zone, version)
        for zone in ("management", "storage")
        for version in (4, 6)
    ]
    assert [line.partition(" → ")[2] for line in lines] == sorted(
        f"node01 ({target}) tcp 40000: open" for target in targets
    )
    assert {line.partition(":")[0] for line in lines} == {"passed, but nothing declares it"}


def test_a_rule_that_is_missing_is_found(machines: Machines) -> None:
    listed = machines.ssh("node01", "nft -a list chain inet gpulab input")
    handles = re.findall(r'ip saddr .* comment "exchange" # handle (\d+)', listed)
    assert len(handles) == 1
    machines.ssh("node01", f"nft delete rule inet gpulab input handle {handles[0]}")
    lines, _ = differences(machines, ["node02"])
    targets = [machines.address("node01", zone) for zone in ("management", "storage")]
    assert [line.partition(" → ")[2] for line in lines] == sorted(
        f"node01 ({target}) tcp {port}: silent" for target in targets for port in (29500, 29510)
    )


def test_the_labs_own_answers_are_what_packets_say(machines: Machines, policy: Policy) -> None:
    """``playbooks/firewall_show.yml`` tells a person what is so, for every pair and port."""
    results = [
        result
        for result in patiently(machines, probes(machines, machines.hosts, machines.hosts))
        if result.probe.protocol != "other" and result.source
    ]
    wrong = []
    for result in results:
        probe = result.probe
        answer = is_allowed(
            policy, str(result.source), probe.target, probe.protocol, probe.port or None
        )
        # It answers for the firewall; whether there is a route, it only notes.
        routed = machines.lab.reachable(
            probe.sender,
            ipaddress.ip_address(str(result.source)),
            probe.receiver,
            ipaddress.ip_address(probe.target),
        )
        if answer.allowed != result.passed and not (answer.allowed and not routed):
            wrong.append(f"{result}, but the answer is: {answer.why}")
    assert len(results) > 10000
    assert wrong == []


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("sender", "receiver", "zone", "scan"),
    [
        ("node02", "node01", "management", "-sT"),
        ("node01", "head01", "storage", "-sT"),
        ("edge01", "head01", "edge", "-sT"),
        ("edge01", "head01", "edge", "-sU"),
        ("head01", "edge01", "edge", "-sT"),
        ("stranger", "head01", "public", "-sT"),
    ],
)
def test_nmap_says_the_same(
    machines: Machines, sender: str, receiver: str, zone: str, scan: str, version: int
) -> None:
    target = machines.address(receiver, zone, version)
    ports = sorted({str(port) for port in machines.ports()} - NMAP_SKIPS)
    listed = machines.ssh(
        sender,
        f"nmap {'-6' if version == 6 else ''} {scan} -Pn -n --max-retries 2 --host-timeout 90s "
        f"-oG - -p {','.join(ports)} {target}",
    )
    states = dict(re.findall(r"(\d+)/(open\|filtered|open|closed|filtered)/", listed))
    protocol = "udp" if scan == "-sU" else "tcp"
    source = machines.address(sender, zone, version)
    passes = {
        port
        for port in ports
        if machines.lab.flows_for(
            ipaddress.ip_address(source), ipaddress.ip_address(target), protocol, int(port)
        )
    }
    assert {port for port, state in states.items() if state in ("open", "closed")} == passes
    assert states.keys() <= set(ports)
    # nmap folds ports of one state into a number when they are many.
    assert passes <= states.keys()
