"""For any policy: no ruleset accepts what no flow declares, and order does not matter.

What is declared is decided by meaning.py, by none of the compiler's code.
"""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from meaning import declared, owned
from nft_text import Packet, Ruleset

from ansible_collections.gpulab.core.plugins.plugin_utils.firewall import reach
from ansible_collections.gpulab.core.plugins.plugin_utils.firewall.compile import compile_rulesets
from ansible_collections.gpulab.core.plugins.plugin_utils.firewall.policy import policy_from_plain

ZONES = ("alpha", "beta", "gamma")
NODES = ("node1", "node2", "node3")
#: One has a zone's name and one a node's.
GROUPS = ("workers", "alpha", "node2")
PLACES = tuple(f"{who}@{zone}" for who in (*NODES, "workers") for zone in ZONES)
#: Each kind is as likely as another, however many there are of it.
ENDS = st.one_of(
    *(st.sampled_from(kind) for kind in (ZONES, NODES, GROUPS, PLACES)),
    st.sampled_from(["all", "outside", "gateways"]),
)
PORTS = (22, 80, 443, 8080)
STRANGERS = ("8.8.8.8", "2001:4860::8888")
DEVICE = 200


def number(zone: str) -> int:
    return ZONES.index(zone) + 1


def address(zone: str, host: int, family: int) -> str:
    return f"10.{number(zone)}.0.{host}" if family == 4 else f"fd00:{number(zone)}::{host:x}"


@st.composite
def zones(draw: st.DrawFn) -> dict[str, Any]:
    found = {}
    for zone in ZONES:
        body: dict[str, Any] = {"cidr": f"10.{number(zone)}.0.0/24"}
        if draw(st.booleans()):
            body["cidr6"] = f"fd00:{number(zone)}::/64"
        if draw(st.booleans()):
            # Host 1 may be a node, so that some node routes; host 254 never is.
            host = draw(st.sampled_from([1, 254]))
            body["gateway"] = address(zone, host, 4)
            if "cidr6" in body:
                body["gateway6"] = address(zone, host, 6)
        if draw(st.booleans()):
            body["outside"] = draw(st.booleans())
        found[zone] = body
    return found


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Any]:
    lab = draw(zones())
    nodes = {}
    for host, node in enumerate(NODES, 1):
        interfaces = {}
        for zone in draw(st.sets(st.sampled_from(ZONES), min_size=1)):
            body = {"zone": zone, "address": address(zone, host, 4)}
            if "cidr6" in lab[zone]:
                body["address6"] = address(zone, host, 6)
            interfaces[f"eth{number(zone)}"] = body
        groups = sorted(draw(st.sets(st.sampled_from(GROUPS))))
        nodes[node] = {"interfaces": interfaces, "groups": groups}
    flows = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "from": ENDS,
                    "to": ENDS,
                    "protocol": st.sampled_from(["tcp", "udp", "icmp", "any"]),
                    "ports": st.lists(st.sampled_from(PORTS), min_size=1, unique=True),
                    "rate": st.sampled_from(["", "30/minute"]),
                    "log": st.booleans(),
                }
            ),
            max_size=10,
        )
    )
    for count, flow in enumerate(flows):
        flow["name"] = f"flow{count}"
        if flow["protocol"] in ("icmp", "any"):
            flow["ports"] = []
    return {"zones": lab, "nodes": nodes, "flows": flows}


def pool(plain: dict[str, Any]) -> list[str]:
    found = {where for node in plain["nodes"] for where in owned(plain, node)}
    for zone, body in plain["zones"].items():
        found.add(address(zone, DEVICE, 4))
        if "cidr6" in body:
            found.add(address(zone, DEVICE, 6))
        found |= {body[key] for key in ("gateway", "gateway6") if key in body}
    return sorted(found | set(STRANGERS))


SERVICES = (("tcp", 22), ("tcp", 443), ("udp", 80), ("icmp", 0))


def packets(plain: dict[str, Any]) -> list[Packet]:
    return [
        Packet(
            source,
            target,
            "icmpv6" if protocol == "icmp" and ":" in source else protocol,
            port,
        )
        for source in pool(plain)
        for target in pool(plain)
        if source != target and (":" in source) == (":" in target)
        for protocol, port in SERVICES
    ]


@given(policies())
@settings(deadline=None, max_examples=40)
def test_what_is_accepted_is_what_is_declared(plain: dict[str, Any]) -> None:
    texts = compile_rulesets(policy_from_plain(plain))
    rulesets = {node: Ruleset(text) for node, text in texts.items()}
    owner = {where: node for node in plain["nodes"] for where in owned(plain, node)}
    for packet in packets(plain):
        allowed = declared(plain, packet)
        sender, receiver = owner.get(packet.source), owner.get(packet.target)
        if sender == receiver:
            continue  # by loopback, or between two that are no nodes
        if sender:
            out = Packet(**{**vars(packet), "oif": "eth1"})
            assert rulesets[sender].hook("output", out).accepted == allowed, packet
        if receiver:
            for interface in plain["nodes"][receiver]["interfaces"]:
                into = Packet(**{**vars(packet), "iif": interface})
                accepted = rulesets[receiver].hook("input", into).accepted
                assert accepted == allowed, into


@given(policies())
@settings(deadline=None, max_examples=25)
def test_nothing_undeclared_is_sent_on(plain: dict[str, Any]) -> None:
    texts = compile_rulesets(policy_from_plain(plain))
    for node, text in texts.items():
        ruleset = Ruleset(text)
        for packet in packets(plain):
            for interface in plain["nodes"][node]["interfaces"]:
                on = Packet(**{**vars(packet), "iif": "eth1", "oif": interface})
                if ruleset.hook("forward", on).accepted:
                    assert declared(plain, packet), on


@given(policies(), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=60)
def test_the_order_of_declaration_does_not_matter(plain: dict[str, Any], random: Random) -> None:
    def shuffled(mapping: dict[str, Any]) -> dict[str, Any]:
        keys = list(mapping)
        random.shuffle(keys)
        return {key: mapping[key] for key in keys}

    nodes = {
        name: {
            "interfaces": shuffled(body["interfaces"]),
            "groups": random.sample(body["groups"], len(body["groups"])),
        }
        for name, body in shuffled(plain["nodes"]).items()
    }
    flows = [
        {**flow, "ports": random.sample(flow["ports"], len(flow["ports"]))}
        for flow in random.sample(plain["flows"], len(plain["flows"]))
    ]
    other = {"zones": shuffled(plain["zones"]), "nodes": nodes, "flows": flows}
    assert compile_rulesets(policy_from_plain(other)) == compile_rulesets(policy_from_plain(plain))


@given(policies())
@settings(deadline=None, max_examples=25)
def test_answers_are_what_is_declared(plain: dict[str, Any]) -> None:
    policy = policy_from_plain(plain)
    for packet in packets(plain):
        protocol = packet.protocol.removesuffix("v6")
        port = packet.port or None
        answer = reach.is_allowed(policy, packet.source, packet.target, protocol, port)
        assert bool(answer.flows) == declared(plain, packet), packet
