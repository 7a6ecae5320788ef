"""Large labs: how long the compiler takes, and what a ruleset grows with."""

from __future__ import annotations

import re
import time
from typing import Any

from ansible_collections.gpulab.core.plugins.plugin_utils.firewall.compile import compile_rulesets
from ansible_collections.gpulab.core.plugins.plugin_utils.firewall.policy import policy_from_plain

NODES, FLOWS = 2000, 500
MAX_S = 5.0
ZONES = 8


def large_lab(nodes: int, flows: int) -> dict[str, Any]:
    """Return nodes in two zones, a rack and a role each, and flows between all kinds of ends."""
    zones = {
        f"zone{number}": {
            "cidr": f"10.{number}.0.0/16",
            "cidr6": f"fd00:{number}::/64",
            "gateway": f"10.{number}.255.254",
        }
        for number in range(ZONES)
    }
    machines = {
        f"node{number:04}": {
            "interfaces": {
                f"eth{at}": {
                    "zone": f"zone{zone}",
                    "address": f"10.{zone}.{number // 200}.{number % 200 + 1}",
                    "address6": f"fd00:{zone}::{number + 1:x}",
                }
                for at, zone in enumerate((number % 2, 2 + number % (ZONES - 2)))
            },
            "groups": [f"rack{number // 50}", f"role{number % 4}"],
        }
        for number in range(nodes)
    }
    return {
        "zones": zones,
        "nodes": machines,
        "flows": [_flow(number, nodes) for number in range(flows)],
    }


def _flow(number: int, nodes: int) -> dict[str, Any]:
    rack, other = f"rack{number % (nodes // 50)}", f"rack{number * 7 % (nodes // 50)}"
    role, zone = f"role{number % 4}", f"zone{number % ZONES}"
    node = f"node{number * 3 % nodes:04}"
    kinds = (
        (zone, role),
        (rack, role),
        (node, rack),
        (f"{role}@{zone}", f"{role}@{zone}"),
        (rack, "outside"),
        ("all", node),
        (node, "all"),
        (rack, other),
        (zone, f"zone{number * 3 % ZONES}"),
        (rack, node),
    )
    source, target = kinds[number % len(kinds)]
    return {
        "name": f"flow{number}",
        "from": source,
        "to": target,
        "protocol": "tcp",
        "ports": [1000 + number, 3000 + number],
        "rate": "30/minute" if number % 20 == 0 else "",
    }


def test_two_thousand_machines_and_five_hundred_flows_take_less_than_five_seconds() -> None:
    policy = policy_from_plain(large_lab(NODES, FLOWS))
    began = time.process_time()
    rulesets = compile_rulesets(policy)
    took_s = time.process_time() - began
    assert len(rulesets) == NODES
    assert took_s < MAX_S


def rules_and_elements(text: str) -> tuple[int, int]:
    rules = len(re.findall(r"^ {8}\S.* comment ", text, re.MULTILINE))
    elements = len(re.findall(r"^ {12}\S.*,  #", text, re.MULTILINE))
    return rules, elements


def test_a_ruleset_grows_with_sets_and_not_with_pairs() -> None:
    small, large = (large_lab(nodes, 0) for nodes in (200, 400))
    flows = [
        {"name": "a", "from": "role0", "to": "role1", "protocol": "tcp", "ports": [22]},
        {"name": "b", "from": "role1", "to": "role0", "protocol": "udp", "ports": [53]},
        {"name": "c", "from": "all", "to": "role1", "protocol": "tcp", "ports": [80]},
    ]
    texts = [
        compile_rulesets(policy_from_plain({**lab, "flows": flows}), ["node0001"])["node0001"]
        for lab in (small, large)
    ]
    (rules, elements), (more_rules, more_elements) = map(rules_and_elements, texts)
    assert more_rules == rules
    # The roles have a quarter of the nodes each, `all` has all; a set of either family each.
    assert more_elements - elements == 2 * (200 // 4 + 200 // 4 + 200)


def test_a_flow_is_one_rule_per_family_in_a_chain() -> None:
    text = compile_rulesets(policy_from_plain(large_lab(NODES, FLOWS)), ["node0006"])["node0006"]
    for chain in re.findall(r"^ {4}chain .*?^ {4}\}", text, re.MULTILINE | re.DOTALL):
        for family in ("ip daddr", "ip6 daddr"):
            named = re.findall(rf"{family} .* comment \"(flow\d+)\"", chain)
            assert len(named) == len(set(named))
