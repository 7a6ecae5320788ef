"""The module and the action benchmark_ddp, with a program in place of the benchmark."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from benchmark_actions import Run, runner

from ansible_collections.gpulab.core.plugins.action import benchmark_ddp as action
from ansible_collections.gpulab.core.plugins.modules import benchmark_ddp

PLAN = {
    "nodes": ["node01", "node02"],
    "address": "10.1.0.11",
    "interfaces": {"node01": "eth1", "node02": "eth1"},
}
PROGRAM = """
import json, sys
print(json.dumps({"schema": 1, "node": "n", "ddp": None, "error": None, "wall_s": 1.0}))
print(" ".join(sys.argv[1:]), file=sys.stderr)
"""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setattr(benchmark_ddp, "count_gpus", lambda: 0)
    return runner(action.ActionModule, benchmark_ddp, capsys, plan=PLAN, node="node02")


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    file = tmp_path / "bench.py"
    file.write_text(PROGRAM)
    return file


def test_its_own_part_is_started(run: Run, bench: Path) -> None:
    found = run(python=sys.executable, bench=str(bench))
    assert found["verdict"] == "pass"
    assert found["stderr_tail"] == (
        "ddp --nodes 2 --node-name node02 --node-rank 1 --address 10.1.0.11 --port 29500 "
        "--interface eth1 --processes 1 --preset xs --device cpu --seed 1234 --rendezvous-s 60 "
        "--budget-s 270.0"
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timeout_s": 0}, "timeout_s must be 1 or more, not 0"),
        ({"node": "node09"}, "node: the plan has no node09"),
        ({"bench": "/no/such"}, "bench: /no/such is not on the node"),
    ],
)
def test_bad_options_are_refused_by_name(
    run: Run, bench: Path, options: dict[str, Any], words: str
) -> None:
    found = run(**{"bench": str(bench), **options})
    assert found["failed"]
    assert words in found["msg"]


def test_check_mode_trains_nothing(run: Run) -> None:
    found = run(check=True)
    assert (found["verdict"], found["skipped"]) == ("unknown", True)
