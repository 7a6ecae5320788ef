"""docs/firewall.md: its example is compiled, and what it prints is what comes of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.gpulab.core.plugins.plugin_utils.firewall import reach, show
from ansible_collections.gpulab.core.plugins.plugin_utils.firewall.compile import compile_rulesets
from ansible_collections.gpulab.core.plugins.plugin_utils.firewall.matrix import matrix
from ansible_collections.gpulab.core.plugins.plugin_utils.firewall.policy import (
    Policy,
    policy_from_plain,
)

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "firewall.md").read_text(encoding="utf-8")
#: What the page says of the nodes in words: zone → their last byte.
MACHINES: dict[str, dict[str, int]] = {
    "head01": {"management": 1, "edge": 1},
    "node01": {"management": 11, "fabric": 11},
    "node02": {"management": 12, "fabric": 12},
    "edge01": {"edge": 21},
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def example() -> Policy:
    declared = yaml.safe_load(blocks("yaml")[0])
    nodes = {name: _machine(name, zones, declared["lab_zones"]) for name, zones in MACHINES.items()}
    return policy_from_plain(
        {"zones": declared["lab_zones"], "nodes": nodes, "flows": declared["lab_flows"]}
    )


def _machine(name: str, places: dict[str, int], zones: dict[str, Any]) -> dict[str, Any]:
    interfaces = {}
    for number, (zone, host) in enumerate(places.items()):
        body = {"zone": zone, "address": zones[zone]["cidr"].replace("0/24", str(host))}
        if "cidr6" in zones[zone]:
            body["address6"] = zones[zone]["cidr6"].replace("/64", f"{host:x}")
        interfaces[f"eth{number}"] = body
    return {"interfaces": interfaces, "groups": ["compute"] if name.startswith("node") else []}


def test_the_rules_on_the_page_are_the_compilers() -> None:
    ruleset = compile_rulesets(example())["node01"]
    shown = blocks("nft")
    assert len(shown) == 3
    for block in shown:
        assert block in ruleset


def test_the_matrix_and_the_answer_on_the_page_are_real() -> None:
    policy = example()
    told, answer = blocks("text")
    assert told == "\n".join(show.matrix_lines(policy, matrix(policy))) + "\n"
    asked = reach.is_allowed(policy, "edge01", "node01", "tcp", 22)
    assert answer == "\n".join(show.answer_lines(asked)) + "\n"
