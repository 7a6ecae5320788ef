"""What outlives a run: who is in service, and the history; a second report changes neither.

It comes last (order.txt), because it makes runs of its own.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playbook_run import Play

NODES = ("head01", "node01", "node02", "edge01")


def state_dir() -> Path:
    reports = Path(os.environ["GPULAB_REPORTS_DIR"])
    return reports.parent / "state" / (reports / "latest").resolve().parent.name


def rows(table: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(state_dir() / "history.sqlite3")) as connection:
        # The tables' names are this test's own.
        return sorted(connection.execute(f"SELECT * FROM {table}").fetchall(), key=str)  # noqa: S608


def kept() -> Iterator[Any]:
    yield (state_dir() / "admission.json").read_text()
    for table in ("runs", "node_runs", "parts", "sightings", "findings", "metrics", "admissions"):
        yield rows(table)
    latest = Path(os.environ["GPULAB_REPORTS_DIR"]) / "latest"
    for node in NODES:
        yield (latest / f"{node}.json").read_text()


@pytest.mark.parametrize("node", NODES)
def test_the_built_lab_is_in_service(node: str) -> None:
    entry = json.loads((state_dir() / "admission.json").read_text())["nodes"][node]
    assert entry["state"] == "in_service"
    assert entry["valid_until"]
    assert node in {row[1] for row in rows("node_runs")}


def test_containers_are_alike_and_lend_no_parts_of_their_host() -> None:
    summary = json.loads((Path(os.environ["GPULAB_REPORTS_DIR"]) / "latest/lab.json").read_text())
    assert summary["notices"] == []
    assert {node["stages"]["fleet"] for node in summary["nodes"]} == {"pass"}
    assert {part[1] for part in rows("parts")} <= {"gpu"}


def test_a_second_report_changes_nothing(play: Play) -> None:
    before = list(kept())
    run = play("playbooks/report.yml")
    assert run.returncode == 0, run.stdout
    assert list(kept()) == before


def test_a_node_is_taken_out_and_given_back_by_hand(play: Play) -> None:
    run = play("playbooks/admission.yml", quarantine="node01", reason="a test")
    assert run.returncode == 0, run.stdout
    assert "node01 quarantined" in run.said
    # No run brings it back.
    assert play("site.yml", "--tags=verify", "--limit=node01").returncode == 0
    assert "node01 quarantined" in play("playbooks/admission.yml").said
    run = play("playbooks/admission.yml", release="node01", reason="the test is over")
    assert "node01 in service" in run.said
    assert "released: the test is over" in play("playbooks/history.yml", part="node01").said
