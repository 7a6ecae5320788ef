"""What a node's answer amounts to: a record that anybody can check."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hardware_machines import FactsOf

from ansible_collections.gpulab.core.plugins.plugin_utils.records import records, runs
from ansible_collections.gpulab.core.plugins.plugin_utils.report import lab_summary, report
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep import judge, targets
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep.answer import Answer


def target(**variables: object) -> dict[str, Any]:
    return targets.describe({"name": "node01", "groups": ["compute"]}, variables, {})


def answered(facts: dict[str, Any] | None, *, root: bool = True, reason: str = "") -> Answer:
    return Answer(facts, root, reason, unreachable=False, seconds=0.25)


def finding(record: records.Record, what: str) -> dict[str, Any]:
    (found,) = [check for check in record["checks"] if check["id"] == what]
    return dict(found)


def test_a_healthy_machine_passes_and_its_record_is_believed(
    facts_of: FactsOf, tmp_path: Path
) -> None:
    record = judge.record("run1", target(), answered(facts_of("two-a100")))
    assert record["verdict"] == "pass"
    assert record["stages"] == {"verify": "pass"}
    assert record["durations_s"]["verify.sweep"] == 0.25
    # As long as each part took on the node.
    assert "verify.cpu" in record["durations_s"]
    path = records.save(record, tmp_path / "run1")
    assert records.load(path)["verdict"] == "pass"


def test_a_declared_power_limit_that_is_in_force_is_no_fault(facts_of: FactsOf) -> None:
    def limits(**declared: object) -> list[str]:
        # Of two A100, the second one's limit is 250 W.
        record = judge.record("run1", target(**declared), answered(facts_of("power-limited")))
        return [one["status"] for one in record["checks"] if one["id"] == "gpu.power_limit"]

    assert limits() == ["pass", "fail"]
    assert limits(node_gpu={"power_limit_w": 250}) == ["fail", "pass"]


def test_a_fault_is_the_same_finding_as_ever(facts_of: FactsOf) -> None:
    record = judge.record("run1", target(), answered(facts_of("fallen-gpu")))
    assert record["verdict"] == "fail"
    (fault,) = [check for check in record["checks"] if check["status"] == "fail"]
    assert (fault["id"], fault["part"]["bdf"]) == ("gpu.driver", "0000:41:00.0")


def test_without_an_answer_nothing_is_known(tmp_path: Path) -> None:
    record = judge.record("run1", target(), answered(None, reason="no answer within 5 s"))
    assert record["verdict"] == "unknown"
    assert record["hardware"] is None
    assert finding(record, "sweep.answer")["evidence"] == "no answer within 5 s"
    records.save(record, tmp_path / "run1")


def test_what_are_no_facts_is_no_answer(facts_of: FactsOf, tmp_path: Path) -> None:
    strange = {**facts_of("two-a100"), "cpu": "sixteen"}
    record = judge.record("run1", target(), answered(strange))
    assert (record["verdict"], record["hardware"]) == ("unknown", None)
    assert "no facts: $.cpu" in finding(record, "sweep.answer")["evidence"]
    records.save(record, tmp_path / "run1")


@pytest.mark.parametrize(
    ("reason", "action"),
    [
        ("connected, but no answer within 5 s", "playbooks/verify.yml --limit node01 reads part"),
        ("the command failed: sh: 1: python3: not found", "install python3"),
        ("the command failed: sh: line 1: /opt/python3.12: No such file", "install python3"),
        ("the reader failed on the node: RuntimeError: Python 3.8.10 is older than 3.9", "python3"),
    ],
)
def test_without_an_answer_it_is_said_what_to_do(reason: str, action: str) -> None:
    record = judge.record("run1", target(), answered(None, reason=reason))
    assert action in finding(record, "sweep.answer")["action"]


def test_what_root_alone_may_read_is_told(facts_of: FactsOf) -> None:
    facts = facts_of("two-a100")
    refused = judge.record("run1", target(), answered(facts, root=False))
    assert refused["verdict"] == "warn"
    assert "sudo -n" in finding(refused, "sweep.root")["evidence"]
    unwanted = judge.record("run1", target(ansible_become=False), answered(facts, root=False))
    assert unwanted["verdict"] == "pass"


def test_a_wrong_spec_is_unknown_and_named(facts_of: FactsOf) -> None:
    record = judge.record("run1", target(node_hardware_spec="typo"), answered(facts_of("two-a100")))
    assert record["verdict"] == "unknown"
    assert "typo" in finding(record, "sweep.spec")["evidence"]


def test_a_machine_without_a_spec_warns(facts_of: FactsOf) -> None:
    bare = targets.describe({"name": "node01", "groups": []}, {}, {})
    record = judge.record("run1", bare, answered(facts_of("two-a100")))
    assert record["verdict"] == "warn"
    assert finding(record, "spec.declared")["status"] == "warn"


def test_a_sweep_lacks_no_benchmark_and_a_whole_run_does(facts_of: FactsOf, tmp_path: Path) -> None:
    folder = tmp_path / "run1"
    record = judge.record("run1", target(), answered(facts_of("two-a100")))
    records.save(record, folder)
    assert (
        report.write(folder, [record["host"]], "lab", stages=["verify"]).summary["verdict"]
        == "pass"
    )
    # Made again from its files, it says the same.
    assert report.write(folder, *report.earlier(folder)).summary["verdict"] == "pass"
    assert lab_summary.summarise(runs.read(folder), [], "lab")["verdict"] == "unknown"
