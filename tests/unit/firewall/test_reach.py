"""Who may reach whom, by which flow, and which node says no."""

from __future__ import annotations

import re
from typing import Any

import pytest
from firewall_samples import flow, lab

from ansible_collections.gpulab.core.plugins.plugin_utils.firewall import reach, show
from ansible_collections.gpulab.core.plugins.plugin_utils.firewall.matrix import matrix
from ansible_collections.gpulab.core.plugins.plugin_utils.firewall.policy import PolicyError

FLOWS = (
    flow("ssh.administer", "management", "all", origin="role ssh", rate="60/minute"),
    flow("nccl", "compute@fabric", "compute@fabric", "any"),
    flow("web", "all", "outside", "tcp 80,443"),
    flow("jump", "outside", "head01@public", log=True),
    flow("publish", "edge", "head01", "tcp 8883"),
    flow("ping", "management", "all", "icmp"),
)


def is_allowed(
    source: str, target: str, protocol: str = "tcp", port: int | None = 22
) -> reach.Answer:
    return reach.is_allowed(lab(*FLOWS), source, target, protocol, port)


@pytest.mark.parametrize(
    ("source", "target", "protocol", "port", "flows"),
    [
        ("node01", "node02", "tcp", 22, ["ssh.administer"]),
        ("node01@fabric", "node02@fabric", "udp", 4791, ["nccl"]),
        ("node01@fabric", "node02@management", "tcp", 22, []),
        ("edge01", "node01", "tcp", 22, []),
        ("edge01", "head01", "tcp", 8883, ["publish"]),
        ("edge", "head01", "tcp", 8883, ["publish"]),
        ("management", "edge01", "icmp", None, ["ping"]),
        ("node01", "outside", "tcp", 443, ["web"]),
        ("edge01", "outside", "tcp", 443, []),
        ("outside", "head01", "tcp", 22, ["jump"]),
        ("198.51.100.7", "head01", "tcp", 22, []),  # in the zone public, not outside
        ("203.0.114.7", "198.51.100.9", "tcp", 22, ["jump"]),
        ("fd00:1::99", "fd00:1::b", "tcp", 22, ["ssh.administer"]),
    ],
)
def test_answers(
    source: str, target: str, protocol: str, port: int | None, flows: list[str]
) -> None:
    answer = is_allowed(source, target, protocol, port)
    assert answer.allowed is bool(flows)
    assert [flow.name for flow in answer.flows] == flows


def test_an_answer_says_which_flow_and_where_it_stands() -> None:
    assert is_allowed("node01", "node02").why == (
        "node01 may reach node02 on tcp 22, by flow ssh.administer (roles/ssh/meta/flows.yml)"
    )
    assert "(lab_flows)" in is_allowed("edge01", "head01", port=8883).why


def test_each_machine_on_the_way_is_a_side() -> None:
    sides = is_allowed("node01", "edge01").sides
    assert [(side.machine, side.role, side.allowed) for side in sides] == [
        ("node01", "sender", True),
        ("head01", "router", True),
        ("edge01", "receiver", True),
    ]
    sides = is_allowed("edge01", "node01").sides
    assert [(side.machine, side.role, side.allowed) for side in sides] == [
        ("edge01", "sender", False),
        ("head01", "router", False),
        ("node01", "receiver", False),
    ]


def test_a_forged_source_is_refused_although_a_flow_allows_it() -> None:
    # In the zone public, nobody can truthfully send from a private network.
    answer = is_allowed("192.168.7.7", "head01@public")
    assert [flow.name for flow in answer.flows] == ["jump"]
    assert not answer.allowed
    assert "head01 (receiver) drops it as forged" in answer.why


@pytest.mark.parametrize(
    ("question", "hint"),
    [
        (("edge01", "node01", "tcp", 22), "ssh.administer goes there, but starts from management"),
        (("edge01", "head01", "tcp", 23), "publish is between them, but for tcp 8883"),
        (("edge01", "outside", "tcp", 443), "nothing of zone edge may reach the outside"),
        (("node01", "10.1.0.77", "tcp", 22), "ssh.administer starts there, but goes to all"),
    ],
)
def test_a_refusal_says_what_is_missing(question: tuple[Any, ...], hint: str) -> None:
    assert any(hint in line for line in is_allowed(*question).hints), is_allowed(*question).hints


def test_a_machine_reaches_itself_without_a_flow() -> None:
    answer = is_allowed("node01", "10.2.0.11", port=9999)
    assert answer.allowed
    assert answer.why == "node01 may reach 10.2.0.11 on tcp 9999: it is the same machine"


def test_notes_tell_of_masquerading_and_of_zones_without_a_way() -> None:
    outside = is_allowed("node01", "outside", port=443)
    assert outside.ways[0].notes == ("it leaves with the address of head01 in zone public",)
    assert is_allowed("fabric", "edge").ways[0].notes == (
        "zone fabric has no IPv4 gateway: no way leads from there",
    )


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (("nod01", "node02", "tcp", 22), "there is no machine and no zone 'nod01': did you mean"),
        (("node01@fabrik", "node02", "tcp", 22), "no zone 'fabrik': did you mean 'fabric'?"),
        (("compute", "node02", "tcp", 22), "'compute' is a group: ask about one of its machines"),
        (("edge01@fabric", "node02", "tcp", 22), "edge01 has no address in zone 'fabric'"),
        (("10.1.0.1", "fd00:1::1", "tcp", 22), "no addresses of one family"),
        (("node01", "node02", "sctp", 22), "'sctp' is none of tcp, udp, icmp"),
        (("node01", "node02", "tcp", None), "tcp needs a port"),
        (("node01", "node02", "tcp", 70000), "from 1 to 65535"),
        (("node01", "node02", "icmp", 1), "icmp has no ports"),
    ],
)
def test_wrong_questions_are_told(question: tuple[Any, ...], message: str) -> None:
    with pytest.raises(PolicyError, match=re.escape(message)):
        is_allowed(*question)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("node01:22", ("node01", 22)),
        ("node01@fabric:22", ("node01@fabric", 22)),
        ("10.1.0.1:22", ("10.1.0.1", 22)),
        ("[fd00::1]:22", ("fd00::1", 22)),
        ("[fd00::1]", ("fd00::1", None)),
        ("outside", ("outside", None)),
    ],
)
def test_targets_are_read(written: str, read: tuple[str, int | None]) -> None:
    assert show.read_target(written) == read


@pytest.mark.parametrize("written", ["", "node01:ssh", "fd00::1", "[fd00::1]:x", "node01:22:23"])
def test_targets_that_mean_nothing_are_refused(written: str) -> None:
    with pytest.raises(PolicyError, match=re.escape("node01:22, or [fd00::1]:22")):
        show.read_target(written)


def test_the_matrix_says_the_same_as_the_answers() -> None:
    policy = lab(*FLOWS)
    found = matrix(policy)
    services = [("tcp", 22), ("tcp", 443), ("tcp", 8883), ("udp", 9), ("icmp", None)]
    asked = 0
    for row, one in enumerate(found.members):
        for column, other in enumerate(found.members):
            by_outside = "outside" == one.what == other.what
            pairs = [
                (source, target)
                for source in one.addresses
                for target in other.addresses
                if source.version == target.version and source != target and not by_outside
            ]
            for source, target in pairs:
                for protocol, port in services:
                    answer = reach.is_allowed(policy, str(source), str(target), protocol, port)
                    told = {
                        flow.name
                        for flow in found.answers[row, column]
                        if reach.serves(flow, protocol, port)
                    }
                    assert {flow.name for flow in answer.flows} == told, (source, target, port)
                    asked += 1
    assert asked > 500


def test_equal_machines_are_one_row_and_all_are_there() -> None:
    members = matrix(lab(*FLOWS)).members
    assert [
        (member.zones, member.machines) for member in members if "node01" in member.machines
    ] == [(("fabric",), ("node01", "node02")), (("management",), ("node01", "node02"))]
    assert {name for member in members for name in member.machines} == set(lab().nodes)


def test_the_matrix_is_told_in_a_grid_and_a_legend() -> None:
    lines = show.matrix_lines(lab(*FLOWS), matrix(lab(*FLOWS)))
    text = "\n".join(lines)
    assert max(map(len, lines)) <= 100
    assert "management: compute (node01, node02)" in text
    assert "tcp 22 (ssh.administer)" in text
    grid = [line for line in lines if re.match(r" +\d+ \w", line)]
    assert len(grid) == len(matrix(lab(*FLOWS)).members)


def test_fifty_machines_fit_a_screen() -> None:
    nodes = {
        f"node{number:02}": {
            "interfaces": {
                "eth0": {"zone": "management", "address": f"10.1.0.{number + 10}"},
                "eth1": {"zone": "fabric", "address": f"10.2.0.{number + 10}"},
            },
            "groups": ["compute"],
        }
        for number in range(1, 51)
    }
    policy = lab(*FLOWS, nodes=nodes)
    lines = show.matrix_lines(policy, matrix(policy))
    assert len(lines) < 40
    assert any("management: compute (node01-node50)" in line for line in lines)


def test_names_are_written_in_short() -> None:
    machines = ["node09", "node10", "node11", "node13", "head01", "a"]
    assert show.names(machines) == "a, head01, node09-node11, node13"


def test_an_answer_is_told() -> None:
    assert list(show.answer_lines(is_allowed("node01", "edge01"))) == [
        "yes: node01 may reach edge01 on tcp 22, by flow ssh.administer (roles/ssh/meta/flows.yml)",
        (
            "  flow ssh.administer: management -> all, tcp 22, at most 60/minute from one address "
            "(roles/ssh/meta/flows.yml)"
        ),
        "  10.1.0.11 -> 10.3.0.21",
        "    node01 (sender): lets it out",
        "    head01 (router): sends it on",
        "    edge01 (receiver): lets it in",
    ]
