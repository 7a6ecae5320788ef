"""From measurements to findings: each check can fail, each fault has its place."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from pairs_samples import LINE_GBPS, Measured, everybody, lab, measured, not_run, transfer

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.pairs.judge import judge
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.pairs.nodes import Node
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.pairs.observe import (
    BANDWIDTH,
    LOSS,
    MEASURED,
    ROUND_TRIP,
    Limits,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.verdict import verdict_of

SLOW = 1.0


class Judged:
    """What the judgement says of each node."""

    def __init__(self, nodes: dict[str, Node], measurements: list[Measured], **more: Any) -> None:
        """Judge, with every pair due."""
        due = list(combinations(sorted(nodes), 2))
        options = {"zone": "fabric", "limits": Limits(), "hardware": {}, **more}
        self.nodes = judge(nodes, due, measurements, **options)

    def verdicts(self) -> dict[str, str]:
        return {name: verdict_of(told["findings"]) for name, told in self.nodes.items()}

    def bad(self) -> dict[str, list[tuple[str, str, str]]]:
        return {
            name: [
                (f["id"], f["status"], f["part"]["kind"])
                for f in told["findings"]
                if f["status"] != "pass"
            ]
            for name, told in self.nodes.items()
            if any(f["status"] != "pass" for f in told["findings"])
        }

    def one(self, node: str, name: str) -> dict[str, Any]:
        (found,) = (f for f in self.nodes[node]["findings"] if f["id"] == name)
        return found

    def metrics(self, node: str, name: str) -> dict[str, Any]:
        return {m["scope"]: m["value"] for m in self.nodes[node]["metrics"] if m["id"] == name}


def test_healthy_lab_passes() -> None:
    judged = Judged(lab("abcd"), everybody("abcd"))
    assert set(judged.verdicts().values()) == {"pass"}
    assert [f["id"] for f in judged.nodes["a"]["findings"]] == [
        MEASURED,
        BANDWIDTH,
        LOSS,
        ROUND_TRIP,
    ]
    found = judged.one("a", BANDWIDTH)
    assert (found["observed"], found["expected"], found["unit"]) == (LINE_GBPS, 9.0, "Gb/s")
    assert found["action"] == ""
    assert found["source"] == "iperf3 --json; line rate: lab_zones.fabric.speed_mbps"


@pytest.mark.parametrize(("gbps", "status"), [(9.0, "pass"), (8.99, "fail")])
def test_bandwidth_at_its_limit(gbps: float, status: str) -> None:
    judged = Judged(lab("abc"), everybody("abc", rate=lambda s, _: gbps if s == "b" else 9.4))
    assert judged.one("b", BANDWIDTH)["status"] == status


@pytest.mark.parametrize(("ms", "status"), [(1.0, "pass"), (1.01, "fail")])
def test_round_trip_at_its_limit(ms: float, status: str) -> None:
    judged = Judged(lab("abc"), everybody("abc", ms=lambda *p: ms if "b" in p else 0.1))
    assert judged.one("b", ROUND_TRIP)["status"] == status


@pytest.mark.parametrize(("lost", "status"), [(0, "pass"), (0.5, "fail")])
def test_loss_at_its_limit(lost: float, status: str) -> None:
    judged = Judged(lab("abc"), everybody("abc", lost=lambda *p: lost if "b" in p else 0))
    assert judged.one("b", LOSS)["status"] == status


def test_slow_sender_is_its_own_nodes_fault() -> None:
    judged = Judged(lab("abcd"), everybody("abcd", rate=lambda s, _: SLOW if s == "c" else 9.4))
    assert judged.bad() == {"c": [(BANDWIDTH, "fail", "nic")]}
    found = judged.one("c", BANDWIDTH)
    assert found["observed"] == SLOW
    assert "when it sends" in found["evidence"]
    assert "c to a: 1 Gb/s" in found["evidence"]
    assert "cable" in found["action"]


def test_part_is_named_as_far_as_its_hardware_was_read() -> None:
    nic = {"name": "ens1f0", "mac": "00:11", "bdf": "0000:41:00.0", "switch_port": "sw1 Eth7"}
    judged = Judged(
        lab("abc"),
        everybody("abc", rate=lambda s, _: SLOW if s == "b" else 9.4),
        hardware={"b": {"nics": [{"name": "eno1"}, nic]}},
    )
    part = judged.one("b", BANDWIDTH)["part"]
    assert (part["serial"], part["bdf"], part["port"]) == ("00:11", "0000:41:00.0", "sw1 Eth7")


def test_node_without_a_declared_interface_is_named_itself() -> None:
    nodes = lab("abc", interface="")
    judged = Judged(nodes, everybody("abc", rate=lambda s, _: SLOW if s == "b" else 9.4))
    assert judged.bad() == {"b": [(BANDWIDTH, "fail", "node")]}


def test_busy_processor_is_the_node_and_not_its_card() -> None:
    tests = everybody("abc", rate=lambda s, _: SLOW if s == "b" else 9.4)
    for test in tests:
        for way, sender in (("forward", test["client"]), ("reverse", test["server"])):
            if sender == "b":
                test[way] = transfer(SLOW, sender_cpu=99.5)
    judged = Judged(lab("abc"), tests)
    assert judged.bad() == {"b": [(BANDWIDTH, "fail", "node")]}
    assert "iperf3 used a whole core of b" in judged.one("b", BANDWIDTH)["evidence"]


def test_path_between_two_good_nodes_stands_with_both() -> None:
    judged = Judged(
        lab("abcd"), everybody("abcd", rate=lambda s, r: SLOW if {s, r} == {"a", "d"} else 9.4)
    )
    assert judged.bad() == {
        "a": [(BANDWIDTH, "fail", "link")],
        "d": [(BANDWIDTH, "fail", "link")],
    }
    found = judged.one("a", BANDWIDTH)
    assert found["part"]["name"] == "a - d (fabric)"
    assert "between these two only, both ways" in found["evidence"]


def test_two_nodes_cannot_tell_which_it_is() -> None:
    judged = Judged(lab("ab"), everybody("ab", rate=lambda *_: SLOW))
    assert judged.verdicts() == {"a": "fail", "b": "fail"}
    assert "cannot be told" in judged.one("a", BANDWIDTH)["evidence"]
    assert "third node" in judged.one("b", BANDWIDTH)["action"]


def test_everything_slow_points_to_what_all_share() -> None:
    judged = Judged(lab("abcd"), everybody("abcd", rate=lambda *_: SLOW))
    assert set(judged.verdicts().values()) == {"fail"}
    assert judged.one("a", BANDWIDTH)["part"] == judged.one("d", BANDWIDTH)["part"]
    assert judged.one("a", BANDWIDTH)["part"]["name"] == "fabric"
    assert "switch" in judged.one("a", BANDWIDTH)["action"]


def test_side_that_only_met_faulty_peers_is_unknown() -> None:
    """What c receives from was slow by itself, so that c can receive is not shown."""
    judged = Judged(lab("abc"), everybody("abc", rate=lambda s, _: SLOW if s in "ab" else 9.4))
    assert judged.verdicts() == {"a": "fail", "b": "fail", "c": "unknown"}
    assert "repair them first" in judged.one("c", BANDWIDTH)["action"]


def test_without_a_declared_rate_bandwidth_is_reported_and_not_judged() -> None:
    nodes = lab("abc", rate_mbps=None, round_trip_ms_max=None)
    judged = Judged(nodes, everybody("abc", rate=lambda *_: SLOW, ms=lambda *_: 99))
    assert [f["id"] for f in judged.nodes["a"]["findings"]] == [MEASURED, LOSS]
    assert judged.metrics("a", "pair.bandwidth") == {"peer:b": SLOW, "peer:c": SLOW}


def test_lower_rate_of_two_is_the_pairs() -> None:
    nodes = lab("ab") | {"c": Node("10.0.0.3", "eth0", rate_mbps=1000)}
    judged = Judged(nodes, everybody("abc", rate=lambda *p: 0.94 if "c" in p else 9.4))
    assert judged.verdicts() == {"a": "pass", "b": "pass", "c": "pass"}


def test_node_that_does_not_answer_is_unknown_and_the_others_pass() -> None:
    tests = [not_run(*p) if "b" in p else measured(*p) for p in combinations("abcd", 2)]
    judged = Judged(lab("abcd"), tests)
    assert judged.bad() == {"b": [(MEASURED, "unknown", "node")]}
    assert "Connection refused" in judged.one("b", MEASURED)["evidence"]


def test_pair_that_returned_nothing_is_unknown() -> None:
    judged = Judged(lab("abcd"), [m for m in everybody("abcd") if m["client"] != "a"])
    assert judged.verdicts()["a"] == "unknown"
    assert "returned no measurement" in judged.one("a", MEASURED)["evidence"]


def test_nothing_measured_is_unknown_for_all() -> None:
    assert set(Judged(lab("abc"), []).verdicts().values()) == {"unknown"}


def test_silent_node_fails_by_loss() -> None:
    tests = everybody("abc", ms=lambda *p: None if "b" in p else 0.1)
    for test in tests:
        if "b" in (test["client"], test["server"]):
            test["round_trip"]["loss_percent"] = 100
    assert (LOSS, "fail", "nic") in Judged(lab("abc"), tests).bad()["b"]


def test_fault_that_the_retest_does_not_find_is_a_warning() -> None:
    first = everybody("abc", rate=lambda s, _: SLOW if s == "b" else 9.4)
    judged = Judged(lab("abc"), first + everybody("abc", again=True))
    assert judged.one("b", BANDWIDTH)["status"] == "warn"
    assert "in one of two tests" in judged.one("b", BANDWIDTH)["evidence"]
    assert judged.one("b", BANDWIDTH)["observed"] == SLOW
    assert judged.metrics("b", "network.bandwidth") == {"node": LINE_GBPS}


def test_fault_that_the_retest_confirms_fails() -> None:
    def slow(sender: str, _: str) -> float:
        return SLOW if sender == "b" else 9.4

    judged = Judged(
        lab("abc"), everybody("abc", rate=slow) + everybody("abc", rate=slow, again=True)
    )
    assert judged.bad() == {"b": [(BANDWIDTH, "fail", "nic")]}


def test_pair_that_runs_at_the_retest_is_measured() -> None:
    first = [not_run(*p) if "b" in p else measured(*p) for p in combinations("abc", 2)]
    judged = Judged(lab("abc"), first + everybody("abc", again=True))
    assert set(judged.verdicts().values()) == {"pass"}


def test_bad_pairs_that_were_not_retested_follow_those_that_were() -> None:
    def slow(*pair: str) -> float:
        return SLOW if "a" in pair else 9.4

    first = everybody("abcdefg", rate=slow)
    retests = [measured("a", peer, rate=slow, again=True) for peer in "bcd"]
    assert Judged(lab("abcdefg"), first + retests).bad() == {"a": [(BANDWIDTH, "fail", "nic")]}
    cleared = [measured("a", peer, again=True) for peer in "bcd"]
    verdicts = Judged(lab("abcdefg"), first + cleared).verdicts()
    assert verdicts["a"] == "warn"
    assert "fail" not in verdicts.values()


def test_metrics() -> None:
    tests = everybody("abc", rate=lambda s, r: {"ab": 9.1, "ba": 9.2}.get(s + r, 9.4))
    judged = Judged(lab("abc"), tests)
    assert judged.metrics("a", "pair.bandwidth") == {"peer:b": 9.1, "peer:c": 9.4}
    assert judged.metrics("b", "pair.bandwidth") == {"peer:a": 9.2, "peer:c": 9.4}
    assert judged.metrics("b", "network.bandwidth") == {"node": 9.1}
    assert judged.metrics("c", "pair.round_trip") == {"peer:a": 0.1, "peer:b": 0.1}
    assert judged.metrics("c", "pair.loss") == {"peer:a": 0, "peer:b": 0}


def test_worst_pair_is_null_when_one_was_not_measured() -> None:
    tests = [not_run("a", "b"), measured("a", "c"), measured("b", "c")]
    judged = Judged(lab("abc"), tests)
    assert judged.metrics("a", "network.bandwidth") == {"node": None}
    assert judged.metrics("c", "network.bandwidth") == {"node": LINE_GBPS}
