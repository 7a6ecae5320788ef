"""The module ddp_train, with a program in place of the benchmark."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.gpulab.core.plugins.modules import ddp_train

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


def call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **options: Any
) -> dict[str, Any]:
    """Run the module and return what it printed."""
    monkeypatch.setattr(ddp_train, "count_gpus", lambda: 0)
    arguments = {"plan": PLAN, "node": "node02", **options}
    with patch_module_args(arguments), pytest.raises(SystemExit):
        ddp_train.main()
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    file = tmp_path / "bench.py"
    file.write_text(PROGRAM)
    return file


def test_its_own_part_is_started(
    bench: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = call(monkeypatch, capsys, python=sys.executable, bench=str(bench))
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
    options: dict[str, Any],
    words: str,
    bench: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = call(monkeypatch, capsys, **{"bench": str(bench), **options})
    assert found["failed"]
    assert words in found["msg"]


def test_check_mode_trains_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = call(monkeypatch, capsys, _ansible_check_mode=True)
    assert (found["verdict"], found["skipped"]) == ("unknown", True)
