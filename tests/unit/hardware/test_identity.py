"""The machine that answers is the one that was declared: from what is read to the verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hardware_machines import FactsOf

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.hardware.catalogue import verify
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.node_spec import node_spec
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.verdict import verdict_of
from ansible_collections.gpulab.core.plugins.plugin_utils.records import parts, records
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep import judge, targets
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep.answer import Answer

SERIAL, MAC = "A123456", "b8:ce:f6:00:00:01"
GPU02 = {"inventory_hostname": "gpu02"}


def identity(facts: dict[str, Any], **variables: str) -> list[dict[str, Any]]:
    spec = node_spec({**GPU02, **variables}).requirements
    return [one for one in verify(facts, spec) if one["id"].startswith("identity.")]


@pytest.mark.parametrize(
    ("variables", "statuses"),
    [
        ({}, []),
        ({"node_serial": SERIAL}, ["pass"]),
        ({"node_serial": SERIAL.lower()}, ["pass"]),
        ({"node_serial": "A123457"}, ["fail"]),
        ({"node_mac": MAC.upper()}, ["pass"]),
        ({"node_mac": MAC.replace(":", "-")}, ["pass"]),
        ({"node_mac": "b8:ce:f6:00:00:99"}, ["fail"]),
        ({"node_serial": SERIAL, "node_mac": "b8:ce:f6:00:00:99"}, ["pass", "fail"]),
        ({"node_serial": "A123457", "node_mac": MAC}, ["fail", "pass"]),
    ],
)
def test_another_machine_fails(
    facts_of: FactsOf, variables: dict[str, str], statuses: list[str]
) -> None:
    found = identity(facts_of("two-a100"), **variables)
    assert [one["status"] for one in found] == statuses
    for one in found:
        assert (one["status"] == "fail") == ("another machine answers as gpu02" in one["evidence"])
        assert one["severity"] == "fail"


def test_a_node_without_a_spec_is_identified_too(facts_of: FactsOf) -> None:
    spec = node_spec({"node_serial": "A123457"})
    assert spec.name == "none"
    assert verdict_of(verify(facts_of("two-a100"), spec.requirements)) == "fail"


def test_the_sweep_judges_it_likewise_and_keeps_what_was_read(
    facts_of: FactsOf, tmp_path: Path
) -> None:
    host = {"name": "gpu02", "serial": "A123457", "groups": ["compute"]}
    target = targets.describe(host, {"node_serial": "A123457"}, {})
    answer = Answer(facts_of("two-a100"), True, "", unreachable=False, seconds=0.25)
    record = judge.record("run1", target, answer)
    assert record["verdict"] == "fail"
    (wrong,) = [check for check in record["checks"] if check["status"] == "fail"]
    assert wrong["evidence"].startswith("another machine answers as gpu02")
    records.save(record, tmp_path / "run1")
    assert [part.key for part in parts.of(record) if part.kind == "node"] == [f"node:{SERIAL}"]


def test_a_container_is_known_by_what_is_declared_of_it(facts_of: FactsOf) -> None:
    record = records.new("run1", {"name": "gpu02", "serial": "SANDBOX2"})
    system = {**facts_of("two-a100"), "os": {"virtualization": "container"}}
    record["hardware"] = system
    assert [part.key for part in parts.of(record) if part.kind == "node"] == ["node:SANDBOX2"]
    # And its own ends are its addresses.
    (mac,) = identity(system, node_mac=MAC)
    assert mac["status"] == "pass"
