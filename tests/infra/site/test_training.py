"""A whole run trains where that is due, and the verification by its tag trains in any case."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from playbook_run import Play

NODES = ("node01", "node02")
#: A whole run, of which the stages that a training does not depend on are left out.
WHOLE = ("site.yml", "--skip-tags=base,network,gpu,frameworks")

#: An option that a training depends on, and that changes nothing about this one.
OTHER = {"benchmark_timeout_s": 119}


def newest(node: str) -> dict[str, Any]:
    """The node's record of the newest run."""
    file = Path(os.environ["GPULAB_REPORTS_DIR"]) / "latest" / f"{node}.json"
    record: dict[str, Any] = json.loads(file.read_text())
    return record


@pytest.mark.parametrize("node", NODES)
def test_the_second_run_did_not_train_again(node: str) -> None:
    record = newest(node)
    assert record["training"]["run_id"] != record["run_id"]
    assert record["stages"]["benchmark"] == "pass"
    assert record["metrics"]


def test_the_tag_trains(play: Play) -> None:
    run = play("site.yml", "--tags=verify")
    assert run.returncode == 0, run.stdout
    assert "Train again" not in run.said
    for node in NODES:
        record = newest(node)
        assert record["training"]["run_id"] == record["run_id"]


def test_another_limit_judges_what_was_measured_and_trains_nothing(play: Play) -> None:
    run = play(*WHOLE, benchmark_limits={"loss_ratio_max": 0.4})
    assert run.returncode == 0, run.stdout
    assert "nothing that it depends on has changed since. Train again" in run.said
    for node in NODES:
        record = newest(node)
        assert record["training"]["run_id"] != record["run_id"]
        (judged,) = [check for check in record["checks"] if check["id"] == "benchmark.loss_falls"]
        assert (judged["expected"], judged["status"]) == (0.4, "pass")


def test_what_a_training_depends_on_is_noticed(play: Play) -> None:
    run = play(*WHOLE, **OTHER)
    assert run.returncode == 0, run.stdout
    assert "Train again" not in run.said
    run = play(*WHOLE, **OTHER)
    assert run.returncode == 0, run.stdout
    assert "nothing that it depends on has changed since. Train again" in run.said


def test_a_node_in_doubt_trains_and_its_links_are_measured(play: Play) -> None:
    reports = Path(os.environ["GPULAB_REPORTS_DIR"])
    lab = (reports / "latest").resolve().parent.name
    file = reports.parent / "state" / lab / "admission.json"
    state = json.loads(file.read_text())
    state["nodes"]["node01"]["owed"] = ["pairs"]
    file.write_text(json.dumps(state))
    run = play(*WHOLE, **OTHER)
    assert run.returncode == 0, run.stdout
    first, second = map(newest, NODES)
    assert first["training"]["run_id"] == first["run_id"]
    assert second["training"]["run_id"] != second["run_id"]
    assert first["stages"]["pairs"] == second["stages"]["pairs"] == "pass"
    assert json.loads(file.read_text())["nodes"]["node01"]["owed"] == []
