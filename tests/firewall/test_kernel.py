"""Rulesets in a real kernel: nft takes them, and real packets meet them."""

from __future__ import annotations

import json
import re
from itertools import permutations
from typing import Any

import pytest
from firewall_samples import LAB, flow, lab
from meaning import declared, owned, zone_of
from namespaces import World
from nft_text import Packet
from test_compile_size import large_lab

from ansible_collections.gpulab.core.plugins.plugin_utils.firewall.compile import compile_rulesets
from ansible_collections.gpulab.core.plugins.plugin_utils.firewall.policy import policy_from_plain

STRANGER = "8.8.8.8"
FLOWS = [
    flow("ssh", "management", "all", "tcp 22", log=True),
    flow("nccl", "compute@fabric", "compute@fabric", "any"),
    flow("web", "all", "outside", "tcp 443"),
    flow("jump", "outside", "head01@public", "tcp 22"),
    flow("time", "all", "head01", "udp 123"),
    flow("names", "all", "gateways", "udp 53"),
    flow("published", "management", "compute", "tcp 8080,9000-9100"),
    flow("ping", "management", "all", "icmp"),
]
PORTS = (22, 53, 123, 443)


@pytest.fixture
def machines(world: World) -> World:
    """The sample lab: its head routes, and a stranger is beyond the zone public."""
    for name, body in LAB["nodes"].items():
        world.add(name)
        for interface, of in body["interfaces"].items():
            addresses = [f"{of['address']}/24"]
            addresses += [f"{of['address6']}/64"] if "address6" in of else []
            world.plug(name, interface, of["zone"], *addresses)
    for name in ("node01", "node02"):
        world.route(name, "default", "via", "10.1.0.1")
    world.route("edge01", "default", "via", "10.3.0.1")
    world.route("edge01", "default", "via", "fd00:3::1")
    world.route("head01", "default", "via", "198.51.100.1")
    world.run("head01", "sysctl", "-qw", "net.ipv4.ip_forward=1")
    world.add("stranger")
    world.plug("stranger", "eth0", "public", "198.51.100.1/24", f"{STRANGER}/32", "10.1.0.77/32")
    return world


def load(world: World, *flows: dict[str, Any]) -> None:
    for name, text in compile_rulesets(lab(*flows)).items():
        world.load(name, text)


def listing(world: World, machine: str, *what: str) -> str:
    """Return what is loaded, without the counters' readings."""
    told = world.run(machine, "nft", "list", *(what or ("ruleset",)))
    return re.sub(r"packets \d+ bytes \d+", "packets 0 bytes 0", told)


@pytest.mark.parametrize("name", sorted(LAB["nodes"]))
def test_what_nft_lists_it_takes_back(world: World, name: str) -> None:
    world.add(name)
    flows = [*FLOWS, flow("slow", "all", "all", "tcp 1,5-9", rate="30/minute", log=True)]
    world.load(name, compile_rulesets(lab(*flows))[name])
    once = listing(world, name)
    world.run(name, "nft", "flush", "ruleset")
    world.load(name, once)
    assert listing(world, name) == once
    assert "invalid type" not in once


def test_a_second_load_replaces_the_first_and_leaves_others_alone(world: World) -> None:
    world.add("node01")
    world.nft("node01", "table ip netavark { chain FORWARD { accept; }; }")
    others = listing(world, "node01")
    world.load("node01", compile_rulesets(lab(*FLOWS))["node01"])
    world.load("node01", compile_rulesets(lab(FLOWS[0]))["node01"])
    ours = listing(world, "node01", "table", "inet", "gpulab")
    assert 'comment "ssh"' in ours
    assert 'comment "web"' not in ours
    assert listing(world, "node01", "table", "ip", "netavark") == others


def test_a_wrong_ruleset_changes_nothing(world: World) -> None:
    world.add("node01")
    text = compile_rulesets(lab(*FLOWS))["node01"]
    world.load("node01", text)
    before = listing(world, "node01")
    assert "no_such_chain" in world.nft(
        "node01", text.replace("goto refused_in", "goto no_such_chain", 1), check=False
    )
    assert listing(world, "node01") == before


def test_sets_of_a_thousand_elements_are_loaded(world: World) -> None:
    plain = large_lab(1000, 0)
    plain["flows"] = [flow("all", "all", "all", "tcp 22", rate="30/minute")]
    world.add("node0001")
    world.load("node0001", compile_rulesets(policy_from_plain(plain), ["node0001"])["node0001"])
    told = json.loads(world.run("node0001", "nft", "-j", "list", "set", "inet", "gpulab", "all_4"))
    elements = next(item["set"]["elem"] for item in told["nftables"] if "set" in item)
    assert len(elements) == 2000


def test_packets_pass_that_are_declared_and_no_others(machines: World) -> None:
    plain = {**LAB, "flows": FLOWS}
    load(machines, *FLOWS)
    questions: dict[str, list[dict[str, Any]]] = {name: [] for name in LAB["nodes"]}
    for sender, receiver in permutations(LAB["nodes"], 2):
        questions[sender] += [
            {"source": source, "target": target, "port": port, "protocol": protocol}
            for source in sorted(owned(plain, sender))
            for target in sorted(owned(plain, receiver))
            if leads(plain, source, target)
            for port in PORTS
            for protocol in ("tcp", "udp")
        ]
    for name in LAB["nodes"]:
        machines.serve(name, *PORTS)
    expected, seen = [], []
    for sender, asked in questions.items():
        for question, answer in zip(asked, machines.ask(sender, asked)):
            packet = Packet(
                question["source"], question["target"], question["protocol"], question["port"]
            )
            if declared(plain, packet):
                expected.append(question)
            if answer:
                seen.append(question)
                assert answer == question["source"]
    assert seen == expected
    # Most of what was asked is refused, and much is not.
    assert len(seen) > 40
    assert sum(map(len, questions.values())) - len(seen) > 150


def leads(plain: dict[str, Any], source: str, target: str) -> bool:
    """Whether the network of the sample leads there: within a zone, or over the head."""
    zones = {zone_of(plain, source), zone_of(plain, target)}
    if (":" in source) != (":" in target):
        return False
    return len(zones) == 1 or (zones == {"management", "edge"} and ":" not in source)


def test_what_leaves_has_the_masquerading_machines_address(machines: World) -> None:
    load(machines, *FLOWS)
    machines.serve("stranger", 443, 80)
    question = {"source": "10.1.0.11", "target": STRANGER, "port": 443, "protocol": "tcp"}
    assert machines.ask("node01", [question]) == ["198.51.100.9"]
    assert not machines.reaches("node01", "10.1.0.11", STRANGER, 80)
    # The zone edge has a gateway and a flow, but may not reach the outside.
    assert not machines.reaches("edge01", "10.3.0.21", STRANGER, 443)


def test_strangers_get_in_where_they_may_and_not_with_forged_addresses(machines: World) -> None:
    load(machines, *FLOWS)
    machines.serve("head01", 22, 123)
    assert machines.reaches("stranger", STRANGER, "198.51.100.9", 22)
    assert not machines.reaches("stranger", STRANGER, "198.51.100.9", 123, "udp")
    assert not machines.reaches("stranger", "10.1.0.77", "198.51.100.9", 22)
    dropped = machines.run("head01", "nft", "list", "chain", "inet", "gpulab", "refused_source")
    assert int(re.findall(r"packets (\d+) bytes \d+ drop", dropped)[0]) > 0


def test_a_rate_holds_for_each_source_address(machines: World) -> None:
    load(machines, flow("ssh", "all", "all", "tcp 22", rate="3/hour"))
    # The sender would stop itself first; here it is the receiver's rate that is tried.
    for name in ("node02", "head01"):
        machines.run(name, "nft", "delete", "table", "inet", "gpulab")
    machines.serve("node01", 22)
    tries = [machines.reaches("node02", "10.1.0.12", "10.1.0.11", 22) for _ in range(5)]
    assert tries == [True, True, True, False, False]
    assert machines.reaches("head01", "10.1.0.1", "10.1.0.11", 22)


def test_containers_are_held_by_their_machines_flows(machines: World) -> None:
    machines.add("container")
    machines.plug("container", "eth0", "pod", "10.88.0.2/16")
    machines.plug("node01", "podman0", "pod", "10.88.0.1/16")
    machines.route("container", "default", "via", "10.88.0.1")
    machines.run("node01", "sysctl", "-qw", "net.ipv4.ip_forward=1")
    # What an engine does: ports sent on to a container, its own address on what leaves it.
    machines.nft(
        "node01",
        """
        table ip engine {
            chain prerouting {
                type nat hook prerouting priority dstnat;
                ip daddr 10.1.0.11 tcp dport { 8080, 8081, 9050 } dnat to 10.88.0.2:80
            }
            chain postrouting {
                type nat hook postrouting priority srcnat;
                ip saddr 10.88.0.0/16 oifname != "podman0" masquerade
            }
        }
        """,
    )
    load(machines, *FLOWS)
    machines.serve("container", 80)
    machines.serve("stranger", 443, 80)
    asked = [(8080, True), (9050, True), (8081, False)]
    for port, answered in asked:
        # edge01's own firewall would not let it ask, nor would node02's for 8081.
        machines.run("node02", "nft", "flush", "ruleset")
        assert machines.reaches("node02", "10.1.0.12", "10.1.0.11", port) is answered
    machines.run("edge01", "nft", "flush", "ruleset")
    assert not machines.reaches("edge01", "10.3.0.21", "10.1.0.11", 8080)
    assert machines.reaches("container", "10.88.0.2", STRANGER, 443)
    assert not machines.reaches("container", "10.88.0.2", STRANGER, 80)
    machines.serve("node02", 22, 123)
    assert machines.reaches("container", "10.88.0.2", "10.1.0.12", 22)
    assert not machines.reaches("container", "10.88.0.2", "10.1.0.12", 123, "udp")
