"""A sweep is a run: what is kept of each node, whatever became of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hardware_machines import FactsOf

from ansible_collections.gpulab.core.plugins.plugin_utils.records import paths, records, runs
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep import sweep, targets
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep.answer import Answer


def target(name: str, **more: object) -> dict[str, Any]:
    return {**targets.describe({"name": name, "groups": []}, {}, {}), **more}


def test_each_node_leaves_a_record_or_the_reason(facts_of: FactsOf, tmp_path: Path) -> None:
    facts = facts_of("two-a100")
    asked: list[str] = []

    def ask(nodes: Sequence[sweep.Target]) -> Iterator[tuple[int, Answer]]:
        asked.extend(node["host"]["name"] for node in nodes)
        # As they come, not in their order.
        yield 2, Answer(None, False, "no answer within 5 s", False, 5.0)
        yield 1, Answer(None, False, "Connection refused", True, 0.1)
        yield 0, Answer(facts, True, "", False, 0.2)

    nodes = [target("wrong", problem="inventory: nowhere"), *map(target, ("well", "off", "slow"))]
    run, answered = sweep.sweep("run1", nodes, ask, ["inventory/mine"])
    assert asked == ["well", "off", "slow"]
    assert answered == 1
    assert {name: record["verdict"] for name, record in run.records.items()} == {
        "well": "warn",
        "slow": "unknown",
    }
    assert [(lost["host"], lost["unreachable"]) for lost in run.failures] == [
        ("wrong", False),
        ("off", True),
    ]
    again = "ansible-playbook -i inventory/mine playbooks/sweep.yml --limit off"
    assert run.failures[1]["action"].endswith(f"then: {again}")
    sweep.keep(run, tmp_path / "run1")
    assert runs.read(tmp_path / "run1") == run


def test_a_node_that_answered_with_no_facts_did_not_answer() -> None:
    def ask(_: object) -> Iterator[tuple[int, Answer]]:
        yield 0, Answer({"schema": 1}, True, "", False, 0.2)

    run, answered = sweep.sweep("run1", [target("node01")], ask, [])
    assert answered == 0
    assert run.records["node01"]["verdict"] == "unknown"


def test_a_run_that_exists_is_not_added_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(paths.REPORTS_VARIABLE, str(tmp_path))
    assert sweep.new_folder("lab", "run2") == tmp_path / "lab" / "run2"
    (tmp_path / "lab" / "run1").mkdir(parents=True)
    with pytest.raises(paths.FolderError, match="a run of its own"):
        sweep.new_folder("lab", "run1")


def test_a_name_that_can_be_no_file_is_refused(tmp_path: Path) -> None:
    def ask(_: object) -> Iterator[tuple[int, Answer]]:
        yield 0, Answer(None, False, "?", False, 0.2)

    run, _ = sweep.sweep("run1", [target("lab")], ask, [])
    with pytest.raises(records.RecordError, match="rename the node"):
        sweep.keep(run, tmp_path / "run1")
