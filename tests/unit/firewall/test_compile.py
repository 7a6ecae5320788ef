"""What the compiled rulesets accept, read by a reader that knows nothing of the compiler."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from firewall_samples import LAB, flow, lab
from nft_text import Packet, Ruleset

from ansible_collections.gpulab.core.plugins.plugin_utils.firewall.compile import compile_rulesets
from ansible_collections.gpulab.core.plugins.plugin_utils.firewall.policy import PolicyError

SSH = flow("ssh", "management", "all", origin="role ssh")


def rules(machine: str, *flows: dict[str, Any], **changes: Any) -> Ruleset:
    return Ruleset(compile_rulesets(lab(*flows, **changes))[machine])


def passes_in(ruleset: Ruleset, packet: Packet) -> bool:
    """Whether a packet for the node itself gets to it."""
    return ruleset.hook("prerouting", packet).accepted and ruleset.hook("input", packet).accepted


def passes_through(ruleset: Ruleset, packet: Packet) -> bool:
    return ruleset.hook("prerouting", packet).accepted and ruleset.hook("forward", packet).accepted


@pytest.mark.parametrize(
    ("packet", "accepted"),
    [
        (Packet("10.1.0.12", "10.1.0.11", port=22, iif="eth0"), True),
        (Packet("10.1.0.99", "10.1.0.11", port=22, iif="eth0"), True),  # a device of the zone
        (Packet("fd00:1::c", "fd00:1::b", port=22, iif="eth0"), True),
        (Packet("10.1.0.12", "10.1.0.11", port=23, iif="eth0"), False),
        (Packet("10.1.0.12", "10.1.0.11", "udp", 22, iif="eth0"), False),
        (Packet("10.3.0.21", "10.1.0.11", port=22, iif="eth0"), False),  # routed, from edge
        (Packet("10.2.0.12", "10.2.0.11", port=22, iif="eth1"), False),  # within a zone
        (Packet("10.1.0.12", "10.1.0.11", port=22, iif="wlan0"), False),  # in no zone
        (Packet("10.1.0.12", "10.1.0.11", "icmp", iif="eth0"), False),
    ],
)
def test_a_machine_accepts_what_a_flow_says(packet: Packet, accepted: bool) -> None:
    assert passes_in(rules("node01", SSH), packet) is accepted


@pytest.mark.parametrize(
    ("packet", "accepted"),
    [
        (Packet("10.1.0.11", "10.1.0.12", port=22, oif="eth0"), True),
        (Packet("10.1.0.11", "10.2.0.12", port=22, oif="eth1"), True),  # `all` has that address
        (Packet("10.2.0.11", "10.2.0.12", port=22, oif="eth1"), False),  # from no management
        (Packet("10.1.0.11", "10.1.0.99", port=22, oif="eth0"), False),  # no node
        (Packet("10.1.0.11", "8.8.8.8", port=443, oif="eth0"), False),
        (Packet("10.1.0.11", "8.8.8.8", "udp", 53, oif="eth0"), False),
    ],
)
def test_a_machine_sends_what_a_flow_says(packet: Packet, accepted: bool) -> None:
    assert rules("node01", SSH).hook("output", packet).accepted is accepted


def test_an_end_at_a_zone_is_one_address_of_a_machine() -> None:
    ruleset = rules("node01", flow("nccl", "compute@fabric", "compute@fabric", "any"))
    assert passes_in(ruleset, Packet("10.2.0.12", "10.2.0.11", "udp", 4791, iif="eth1"))
    assert not passes_in(ruleset, Packet("10.2.0.12", "10.1.0.11", port=5, iif="eth1"))
    assert not passes_in(ruleset, Packet("10.1.0.12", "10.1.0.11", port=5, iif="eth0"))
    assert ruleset.hook("output", Packet("10.2.0.11", "10.2.0.12", port=5)).accepted
    assert not ruleset.hook("output", Packet("10.1.0.11", "10.2.0.12", port=5)).accepted


def test_a_zone_wins_over_a_group_and_a_group_over_a_machine() -> None:
    nodes = copy.deepcopy(LAB["nodes"])
    nodes["node01"]["groups"] = ["fabric", "node02"]
    ruleset = rules(
        "node01",
        flow("to-zone", "all", "fabric", "tcp 1"),
        flow("to-group", "all", "node02", "tcp 2"),
        nodes=nodes,
    )
    assert not passes_in(ruleset, Packet("10.1.0.12", "10.1.0.11", port=1, iif="eth0"))
    assert passes_in(ruleset, Packet("10.1.0.12", "10.1.0.11", port=2, iif="eth0"))


def test_replies_pass_and_nothing_invalid_does() -> None:
    ruleset = rules("node01", SSH)
    reply = Packet("8.8.8.8", "10.1.0.11", port=40000, iif="eth0", state="established")
    assert passes_in(ruleset, reply)
    lost = Packet("10.1.0.12", "10.1.0.11", port=22, iif="eth0", state="invalid")
    assert not passes_in(ruleset, lost)


@pytest.mark.parametrize(
    ("packet", "accepted"),
    [
        (Packet("10.1.0.1", "10.1.0.11", "icmp", kind="destination-unreachable"), True),
        (Packet("fd00:1::1", "fd00:1::b", "icmpv6", kind="packet-too-big"), True),
        (Packet("10.1.0.1", "10.1.0.11", "icmp", kind="redirect"), False),
        (Packet("fd00:1::1", "fd00:1::b", "icmpv6", kind="nd-redirect", hop_limit=255), False),
        (Packet("fe80::1", "ff02::1:ff00:b", "icmpv6", 0, 0, "nd-neighbor-solicit", 255), True),
        (Packet("fe80::1", "ff02::1:ff00:b", "icmpv6", 0, 0, "nd-neighbor-solicit", 64), False),
        (Packet("::", "ff02::1:ff00:b", "icmpv6", 0, 0, "nd-neighbor-solicit", 255), True),
        (Packet("fe80::1", "ff02::1", "icmpv6", 0, 0, "nd-router-advert", 255), True),
        (Packet("fe80::1", "ff02::1", "icmpv6", 0, 0, "mld-listener-query", 1), True),
        (Packet("10.1.0.1", "10.1.0.11", "udp", 68, 67), True),
        (Packet("fe80::1", "fe80::2", "udp", 546, 547), True),
        (Packet("fe80::1", "fd00:1::b", "tcp", 22), False),
    ],
)
def test_what_the_network_needs_comes_in(packet: Packet, accepted: bool) -> None:
    at_eth0 = Packet(**{**vars(packet), "iif": "eth0"})
    assert passes_in(rules("node01"), at_eth0) is accepted
    in_no_zone = Packet(**{**vars(packet), "iif": "wlan0"})
    assert not passes_in(rules("node01"), in_no_zone)


def test_echo_is_a_flow_and_other_questions_are_not() -> None:
    ruleset = rules("node01", flow("ping", "management", "all", "icmp"))
    assert passes_in(ruleset, Packet("10.1.0.12", "10.1.0.11", "icmp", iif="eth0"))
    assert passes_in(ruleset, Packet("fd00:1::c", "fd00:1::b", "icmpv6", iif="eth0"))
    stamp = Packet("10.1.0.12", "10.1.0.11", "icmp", kind="timestamp-request", iif="eth0")
    assert not passes_in(ruleset, stamp)


@pytest.mark.parametrize(
    ("machine", "packet", "believed"),
    [
        ("node01", Packet("10.1.0.12", "10.1.0.11", iif="eth0"), True),
        ("node01", Packet("10.2.0.12", "10.1.0.11", iif="eth0"), False),  # it is in fabric itself
        ("node01", Packet("10.3.0.21", "10.1.0.11", iif="eth0"), True),  # routed
        ("node01", Packet("8.8.8.8", "10.1.0.11", iif="eth0"), True),
        ("node01", Packet("8.8.8.8", "10.2.0.11", iif="eth1"), False),  # fabric has no gateway
        ("node01", Packet("10.1.0.12", "10.2.0.11", iif="eth1"), False),
        ("node01", Packet("2001:4860::1", "fd00:1::b", iif="eth0"), False),  # no IPv6 gateway
        ("head01", Packet("8.8.8.8", "10.3.0.1", iif="eth1"), False),  # it is the gateway
        ("head01", Packet("8.8.8.8", "198.51.100.9", iif="eth2"), True),
        ("head01", Packet("198.51.100.7", "198.51.100.9", iif="eth2"), True),
        ("head01", Packet("192.168.1.1", "198.51.100.9", iif="eth2"), False),  # a bogon
        ("head01", Packet("10.1.0.12", "198.51.100.9", iif="eth2"), False),
    ],
)
def test_forged_sources_are_dropped(machine: str, packet: Packet, believed: bool) -> None:
    verdict = rules(machine).hook("prerouting", packet)
    assert verdict.accepted is believed
    assert verdict.logged == ([] if believed else ["gpulab drop spoof: "])


def test_a_stranger_is_in_no_zone_that_the_machine_at_the_uplink_is_not_in() -> None:
    """A zone with real addresses, which are no bogons, and which the head is not in."""
    zones = {**LAB["zones"], "fabric": {"cidr": "9.9.9.0/24", "cidr6": "2a00:1::/64"}}
    zones["public"] = {**zones["public"], "cidr6": "2a00:2::/64", "gateway6": "2a00:2::1"}
    nodes = {"head01": LAB["nodes"]["head01"]}
    ruleset = rules("head01", zones=zones, nodes=nodes)
    for source, target in (("9.9.9.12", "198.51.100.9"), ("2a00:1::12", "2a00:2::9")):
        assert not ruleset.hook("prerouting", Packet(source, target, iif="eth2")).accepted
    for source, target in (("9.9.8.12", "198.51.100.9"), ("2a00:3::12", "2a00:2::9")):
        assert ruleset.hook("prerouting", Packet(source, target, iif="eth2")).accepted


def test_sources_behind_a_declared_route_are_believed() -> None:
    nodes = copy.deepcopy(LAB["nodes"])
    nodes["node01"]["interfaces"]["eth1"]["routes"] = [
        {"to": "10.9.0.0/16", "via": "10.2.0.254"},
        {"to": "10.9.0.0/24", "via": "10.2.0.253"},
    ]
    ruleset = rules("node01", nodes=nodes)
    assert ruleset.hook("prerouting", Packet("10.9.1.1", "10.2.0.11", iif="eth1")).accepted
    assert not ruleset.hook("prerouting", Packet("10.8.1.1", "10.2.0.11", iif="eth1")).accepted
    assert not ruleset.hook("prerouting", Packet("10.1.0.12", "10.2.0.11", iif="eth1")).accepted


def test_zones_without_a_way_out_are_kept_in_whatever_a_flow_says() -> None:
    web = flow("web", "all", "outside", "tcp 443")
    assert rules("node01", web).hook("output", Packet("10.1.0.11", "8.8.8.8", port=443)).accepted
    for source in ("10.2.0.11", "10.3.0.21"):
        machine = "node01" if source.startswith("10.2") else "edge01"
        packet = Packet(source, "8.8.8.8", port=443)
        assert not rules(machine, web).hook("output", packet).accepted
    by_zone = flow("web", "edge", "outside", "tcp 443")
    packet = Packet("10.3.0.21", "8.8.8.8", port=443)
    assert not rules("edge01", by_zone).hook("output", packet).accepted
    router = rules("head01", web, flow("zone-web", "edge", "outside", "tcp 443"))
    out = {"port": 443, "oif": "eth2"}
    assert passes_through(router, Packet("10.1.0.11", "8.8.8.8", iif="eth0", **out))
    assert not passes_through(router, Packet("10.3.0.21", "8.8.8.8", iif="eth1", **out))
    # What is inside the lab is not outside.
    assert (
        not rules("node01", web).hook("output", Packet("10.1.0.11", "10.3.0.21", port=443)).accepted
    )


def test_a_router_lets_flows_through_and_others_do_not_route() -> None:
    edge = flow("edge-ssh", "management", "edge")
    packet = Packet("10.1.0.11", "10.3.0.50", port=22, iif="eth0", oif="eth1")
    assert passes_through(rules("head01", edge), packet)
    assert not passes_through(rules("head01", edge), Packet(**{**vars(packet), "port": 23}))
    assert not passes_through(rules("head01", edge), Packet(**{**vars(packet), "oif": "tun0"}))
    assert not passes_through(rules("node01", edge), packet)


def test_zones_without_a_way_out_are_kept_from_routers_that_pass_on_what_is_asked() -> None:
    names = flow("names", "all", "gateways", "udp 53")
    router = {"protocol": "udp", "port": 53}
    packet = Packet("10.1.0.11", "10.1.0.1", **router)
    assert rules("node01", names).hook("output", packet).accepted
    for gateway in ("10.1.0.1", "10.3.0.1"):
        packet = Packet("10.3.0.21", gateway, **router)
        assert not rules("edge01", names).hook("output", packet).accepted
    # A zone names its router, too.
    packet = Packet("10.3.0.21", "10.3.0.1", **router)
    by_zone = flow("names", "edge", "edge", "udp 53")
    assert rules("edge01", by_zone).hook("output", packet).accepted


def test_only_the_named_machine_masquerades_and_only_toward_the_outside() -> None:
    head = rules("head01")
    out = head.hook("postrouting", Packet("10.1.0.11", "8.8.8.8", oif="eth2"))
    assert out.masqueraded
    assert not head.hook("postrouting", Packet("10.1.0.11", "8.8.8.8", oif="eth0")).masqueraded
    assert not head.hook("postrouting", Packet("10.1.0.11", "10.3.0.21", oif="eth1")).masqueraded
    assert not head.hook("postrouting", Packet("10.2.0.11", "8.8.8.8", oif="eth2")).masqueraded
    assert "postrouting" not in rules("node01").chains


def test_containers_reach_what_their_machine_reaches() -> None:
    ruleset = rules("node01", flow("web", "management", "outside", "tcp 443"))
    packet = Packet("10.88.0.2", "8.8.8.8", port=443, iif="podman0", oif="eth0")
    assert passes_through(ruleset, packet)
    assert not passes_through(ruleset, Packet(**{**vars(packet), "port": 80}))
    # By fabric it would leave with an address that the flow does not start from.
    assert not passes_through(ruleset, Packet(**{**vars(packet), "oif": "eth1"}))
    assert not passes_through(ruleset, Packet(**{**vars(packet), "oif": "tun0"}))
    assert not passes_through(ruleset, Packet(**{**vars(packet), "source": "10.1.0.12"}))
    inside = Packet("10.88.0.2", "10.88.0.3", port=1, iif="podman0", oif="podman0")
    assert passes_through(ruleset, inside)
    assert ruleset.hook("output", Packet("10.88.0.1", "10.88.0.2", port=1, oif="podman0")).accepted


def test_containers_may_ask_their_machine_for_names_only() -> None:
    ruleset = rules("node01", SSH)
    for port, accepted in ((53, True), (67, True), (22, False)):
        packet = Packet("10.88.0.2", "10.88.0.1", "udp", port, iif="podman0")
        assert passes_in(ruleset, packet) is accepted
    assert not passes_in(ruleset, Packet("10.88.0.2", "10.1.0.11", port=22, iif="podman0"))


def test_published_ports_are_open_to_flows_by_the_port_that_was_dialled() -> None:
    ruleset = rules("node01", flow("web", "management", "compute", "tcp 8080,9000-9100"))
    packet = Packet(
        "10.1.0.12", "10.88.0.2", port=80, iif="eth0", oif="podman0", dialled=("10.1.0.11", 8080)
    )
    assert passes_through(ruleset, packet)
    in_range = Packet(**{**vars(packet), "dialled": ("10.1.0.11", 9050)})
    assert passes_through(ruleset, in_range)
    other = Packet(**{**vars(packet), "dialled": ("10.1.0.11", 80)})
    assert not passes_through(ruleset, other)
    direct = Packet(**{**vars(packet), "dialled": None, "port": 8080})
    assert not passes_through(ruleset, direct)
    stranger = Packet(**{**vars(packet), "source": "10.3.0.21"})
    assert not passes_through(ruleset, stranger)


def test_an_interface_that_looks_like_a_container_bridge_is_its_zone() -> None:
    ruleset = rules("node02", flow("nccl", "compute@fabric", "compute@fabric"))
    assert passes_in(ruleset, Packet("10.2.0.11", "10.2.0.12", port=22, iif="br-fab"))
    assert not passes_in(ruleset, Packet("10.2.0.11", "10.2.0.12", "udp", 53, iif="br-fab"))
    forged = Packet("10.1.0.11", "10.2.0.12", port=22, iif="br-fab")
    assert not ruleset.hook("prerouting", forged).accepted
    assert passes_in(ruleset, Packet("10.88.0.2", "10.88.0.1", "udp", 53, iif="br-1234"))
    onto = Packet("10.88.0.2", "10.2.0.11", port=22, iif="br-1234", oif="br-fab")
    assert passes_through(ruleset, onto)
    assert not passes_through(ruleset, Packet(**{**vars(onto), "port": 23}))


def test_without_container_engines_there_is_no_word_of_them() -> None:
    nodes = copy.deepcopy(LAB["nodes"])
    nodes["node01"]["container_interfaces"] = []
    nodes["node02"]["container_interfaces"] = ["cni0"]
    compiled = compile_rulesets(lab(SSH, nodes=nodes))
    assert "container" not in compiled["node01"]
    assert 'iifname "cni0"' in compiled["node02"]
    assert "podman" not in compiled["node02"]
    assert 'iifname "podman*"' in compiled["head01"]


def test_a_flow_of_rate_and_log_has_both_and_its_name() -> None:
    text = compile_rulesets(lab(flow("ssh", "outside", "head01", rate="10/minute", log=True)))
    accepted = [line.strip() for line in text["head01"].splitlines() if 'comment "ssh"' in line]
    assert accepted[0] == (
        "ip saddr != @lab_4 ip daddr @self_4 tcp dport 22 "
        "update @rate_ssh_4 { ip saddr limit rate 10/minute burst 10 packets } "
        'log prefix "gpulab flow ssh: " counter accept comment "ssh"'
    )
    assert "timeout 60s" in text["head01"]


def test_a_rate_is_counted_by_who_is_reached_or_else_on_the_way() -> None:
    text = compile_rulesets(
        lab(
            flow("ssh", "management", "compute", rate="10/minute"),
            flow("web", "node01", "outside", "tcp 443", rate="10/minute"),
        )
    )
    limited = {
        (machine, chain.split()[0], name)
        for machine in ("head01", "node01")
        for chain in text[machine].split("    chain ")[1:]
        for name in ("ssh", "web")
        if f"update @rate_{name}_4" in chain
    }
    assert limited == {
        ("node01", "input", "ssh"),
        ("node01", "published", "ssh"),
        ("node01", "output", "web"),
        ("node01", "from_containers", "web"),
        ("head01", "routed", "web"),
    }


@pytest.mark.parametrize("hook", ["input", "output", "forward"])
def test_what_no_flow_allows_is_counted_and_logged(hook: str) -> None:
    verdict = rules("node01").hook(hook, Packet("10.1.0.12", "10.1.0.11", iif="eth0", oif="eth0"))
    word = {"input": "in", "output": "out", "forward": "fwd"}[hook]
    assert (verdict.accepted, verdict.logged) == (False, [f"gpulab drop {word}: "])
    assert rules("node01").chains[hook].policy == "drop"


def test_a_ruleset_has_the_sets_that_its_rules_name_and_no_others() -> None:
    flows = (
        SSH,
        flow("web", "compute", "outside", "tcp 80,443"),
        flow("nccl", "compute@fabric", "compute@fabric", "any"),
        flow("dns", "all", "gateways", "udp 53", rate="5/second"),
    )
    for text in compile_rulesets(lab(*flows)).values():
        ruleset = Ruleset(text)
        assert ruleset.used_sets() == ruleset.sets.keys()
    # `nccl` and `web` are none of its business.
    assert not [name for name in rules("edge01", *flows).sets if "compute" in name]


def test_others_tables_are_not_touched() -> None:
    text = compile_rulesets(lab(SSH))["node01"]
    assert "flush" not in text
    statements = re.findall(r"^(?:table|delete|add|destroy).*", text, re.MULTILINE)
    assert statements == ["table inet gpulab {}", "delete table inet gpulab", "table inet gpulab {"]


def test_a_flow_to_nobody_opens_nothing() -> None:
    assert compile_rulesets(lab(flow("x", "all", "no_such_group"))) == compile_rulesets(lab())


@pytest.mark.parametrize(
    ("flows", "changes", "message"),
    [
        ([SSH, SSH], {}, "several flows are called ssh"),
        ([flow("a", "all", "all", "tcp")], {}, "flow a: tcp needs ports"),
        ([flow("a", "all", "all", rate="fast")], {}, "flow a: rate 'fast' is no count per"),
        ([flow('a"; drop', "all", "all")], {}, "flow 'a\"; drop': the firewall takes names"),
        ([flow("a\n", "all", "all")], {}, "the firewall takes names"),
        ([flow("a", "all", "all", origin="x\naccept")], {}, "the firewall takes names"),
        ([], {"nodes": {"node01": {}}}, "node01: without node_interfaces"),
        (
            [],
            {"nodes": {"n": {"interfaces": {"eth0": {"zone": "moon", "address": "10.1.0.5"}}}}},
            "n: node_interfaces.eth0.zone: no zone 'moon'",
        ),
        (
            [],
            {
                "nodes": {
                    "a": {"interfaces": {"eth0": {"zone": "edge", "address": "10.3.0.5"}}},
                    "b": {"interfaces": {"eth0": {"zone": "edge", "address": "10.3.0.5"}}},
                }
            },
            "a and b both have 10.3.0.5",
        ),
        (
            [],
            {
                "zones": {
                    **LAB["zones"],
                    "x": {"cidr": "10.8.0.0/24", "masquerade": {"by": "node01"}},
                }
            },
            "lab_zones.x.masquerade.by: node01 has no interface in the zone x",
        ),
    ],
)
def test_what_cannot_be_compiled_is_named(
    flows: list[dict[str, Any]], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(PolicyError, match=re.escape(message)):
        compile_rulesets(lab(*flows, **changes))


def test_only_the_asked_machines_are_compiled() -> None:
    policy = lab(SSH)
    assert compile_rulesets(policy, ["node01"]) == {"node01": compile_rulesets(policy)["node01"]}
    with pytest.raises(PolicyError, match="no machine of the inventory is called node09"):
        compile_rulesets(policy, ["node09"])


def test_names_that_nftables_lacks_become_words_that_differ() -> None:
    nodes = {
        name: {"interfaces": {"eth0": {"zone": "fabric", "address": address}}}
        for name, address in (("a+b", "10.2.0.1"), ("a/b", "10.2.0.2"), ("c", "10.2.0.3"))
    }
    flows = (flow("x", "a+b", "c", "tcp 1"), flow("y", "a/b", "c", "tcp 2"))
    ruleset = rules("c", *flows, nodes=nodes, zones={"fabric": LAB["zones"]["fabric"]})
    assert passes_in(ruleset, Packet("10.2.0.1", "10.2.0.3", port=1, iif="eth0"))
    assert not passes_in(ruleset, Packet("10.2.0.2", "10.2.0.3", port=1, iif="eth0"))
    assert passes_in(ruleset, Packet("10.2.0.2", "10.2.0.3", port=2, iif="eth0"))
