"""Who takes part, at which address, by which limits, and what is measured again."""

from __future__ import annotations

from typing import Any

import pytest
from pairs_samples import everybody, lab, measured

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.pairs import plan
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.pairs.judge import look
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.pairs.nodes import (
    Node,
    PairsError,
    choose_zone,
    members,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.pairs.observe import Limits
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.pairs.retest import retest_rounds
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.pairs.schedule import tournament
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.specs import SpecError

SPECS = {
    "fast": {"network": {"speed_mbps_min": 25_000, "round_trip_ms_max": 0.5}},
    "silent": {"description": "no network"},
}


def machine(zones: dict[str, str], **more: Any) -> dict[str, Any]:
    """Describe a node by zone → address."""
    interfaces = {f"eth{n}": {"zone": z, "address": a} for n, (z, a) in enumerate(zones.items())}
    declared = {"group_names": ["compute"], "lab_hardware_specs": SPECS}
    return {"node_interfaces": interfaces, **declared, **more}


A = machine({"management": "10.0.0.1", "fabric": "10.1.0.1"}, node_hardware_spec="fast")
B = machine({"management": "10.0.0.2", "fabric": "10.1.0.2"})
C = machine({"management": "10.0.0.3"}, node_hardware_spec="silent")
ZONES: dict[str, Any] = {"management": {}, "fabric": {}}


class TestZone:
    def test_fabric_comes_first(self) -> None:
        assert choose_zone(ZONES, {"a": A, "c": C}, "") == "fabric"

    def test_else_the_zone_that_most_share(self) -> None:
        zones: dict[str, Any] = {"management": {}, "storage": {}, "edge": {}}
        both = machine({"management": "10.0.0.1", "storage": "10.2.0.1"})
        assert choose_zone(zones, {"a": both, "b": both}, "") == "management"
        assert choose_zone(zones, {"a": both, "b": machine({"storage": "x"})}, "") == "storage"

    def test_asked(self) -> None:
        assert choose_zone(ZONES, {"a": A}, "management") == "management"

    def test_asked_and_not_declared(self) -> None:
        with pytest.raises(PairsError, match=r"pairs_zone.*'fabrik'.*fabric, management"):
            choose_zone(ZONES, {"a": A}, "fabrik")

    def test_no_zone_at_all(self) -> None:
        assert choose_zone({}, {"a": {}}, "") == ""


class TestMembers:
    def test_addresses_of_the_zone(self) -> None:
        nodes, outside = members({"a": A, "b": B, "c": C}, ZONES, "fabric")
        assert {name: (n.address, n.interface) for name, n in nodes.items()} == {
            "a": ("10.1.0.1", "eth1"),
            "b": ("10.1.0.2", "eth1"),
        }
        assert outside == ["c"]

    def test_rate_of_the_zone_stands_above_the_specs(self) -> None:
        nodes, _ = members({"a": A}, {"fabric": {"speed_mbps": 100_000}}, "fabric")
        assert nodes["a"].rate_mbps == 100_000
        assert nodes["a"].rate_source == "lab_zones.fabric.speed_mbps"

    def test_rate_of_the_spec(self) -> None:
        nodes, _ = members({"a": A, "b": B}, ZONES, "fabric")
        assert (nodes["a"].rate_mbps, nodes["a"].round_trip_ms_max) == (25_000, 0.5)
        # As in the verification, a compute node without a spec is held against compute-minimum.
        assert (nodes["b"].rate_mbps, nodes["b"].round_trip_ms_max) == (10_000, None)

    def test_nothing_is_declared(self) -> None:
        other = {**C, "node_hardware_spec": "", "group_names": ["storage"]}
        nodes, _ = members({"c": C, "d": other}, ZONES, "management")
        assert {node.rate_mbps for node in nodes.values()} == {None}

    def test_without_zones_the_address_is_ansibles(self) -> None:
        nodes, _ = members({"a": {"ansible_host": "10.9.0.1"}, "b": {}}, {}, "")
        assert (nodes["a"].address, nodes["b"].address) == ("10.9.0.1", "b")

    def test_spec_that_is_not_declared(self) -> None:
        with pytest.raises(SpecError, match="no hardware spec 'lost'"):
            members({"a": {**A, "node_hardware_spec": "lost"}}, ZONES, "fabric")


@pytest.mark.parametrize(
    ("rate", "processes"), [(None, 1), (10_000, 1), (20_000, 1), (25_000, 2), (400_000, 16)]
)
def test_fast_links_get_several_processes(rate: int | None, processes: int) -> None:
    assert Node("10.0.0.1", rate_mbps=rate).processes == processes


class TestDocument:
    def test_it_is_read_as_it_was_written(self) -> None:
        nodes = lab("abcd")
        rounds = tournament(nodes)
        made = plan.document("fabric", nodes, rounds, 10)
        zone, read, pairs = plan.read(made)
        assert (zone, read) == ("fabric", nodes)
        assert sorted(pairs) == sorted(pair for each in rounds for pair in each)

    def test_test_of_a_pair(self) -> None:
        nodes = {**lab("a", rate_mbps=100_000), "b": Node("10.0.0.9", rate_mbps=25_000)}
        (first,) = plan.document("", nodes, [[("a", "b")]], 10)["rounds"]
        assert first["a"] == {
            "client": "a",
            "server": "b",
            "again": False,
            "address": "10.0.0.9",
            "source": "10.0.0.1",
            "processes": 2,
        }


class TestTold:
    def test_one_node(self) -> None:
        (line,) = plan.told(plan.document("fabric", lab("a"), [], 10), [])
        assert line.startswith("Node pairs: skipped, 1 of the run's nodes is in zone fabric")

    def test_what_is_left_out_and_what_is_not_judged(self) -> None:
        nodes = lab("abc", rate_mbps=None)
        lines = plan.told(plan.document("fabric", nodes, tournament(nodes), 10), ["d"])
        assert "no address in zone fabric: d" in lines[0]
        assert "3 pairs of 3 nodes in zone fabric, 3 rounds, about 39 s" in lines[1]
        assert "not judged" in lines[2]


class TestRetest:
    def test_nothing_in_doubt(self) -> None:
        assert retest_rounds(look(lab("abcd"), everybody("abcd"), Limits()), list("abcd")) == []

    def test_suspects_meet_nodes_that_passed(self) -> None:
        """Of bounded rounds: a met b only. b, too, is a suspect until both have met others."""
        seen = look(
            lab("abcd"), [measured("a", "b", rate=lambda *_: 1), measured("c", "d")], Limits()
        )
        pairs = {pair for each in retest_rounds(seen, list("abcd")) for pair in each}
        assert pairs == {("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d")}

    def test_a_bad_node_of_many_is_retested_a_few_times(self) -> None:
        names = "abcdefghijklmnop"
        tests = everybody(names, rate=lambda *pair: 1 if "a" in pair else 9.4)
        rounds = retest_rounds(look(lab(names), tests, Limits()), list(names))
        assert len([pair for each in rounds for pair in each if "a" in pair]) == 3

    def test_no_node_twice_in_a_round(self) -> None:
        tests = everybody("abcdef", rate=lambda *_: 1)
        for each in retest_rounds(look(lab("abcdef"), tests, Limits()), list("abcdef")):
            nodes = [node for pair in each for node in pair]
            assert len(nodes) == len(set(nodes))
