"""Who has to be out of Slurm's hands, by admission; and what the head remembers of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.slurm import wanted_file
from ansible_collections.gpulab.core.plugins.plugin_utils.slurm.wanted import wanted


def entry(state: str, reason: str = "", passed_at: str = "2026-12-01T00:00:00Z") -> dict[str, Any]:
    return {"state": state, "reason": reason, "passed_at": passed_at}


@pytest.mark.parametrize(
    ("admission", "why"),
    [
        (entry("in_service"), ""),
        (entry("quarantined", "its fan\nrattles"), "gpulab: quarantined: its fan rattles"),
        (entry("quarantined", "x", ""), "gpulab: quarantined: x"),
        (entry("unverified", "", ""), "gpulab: unverified: no record of it has passed yet"),
        # Too old, or in doubt: its acceptance is due, and its jobs go on.
        (entry("unverified", "its last passing record is older than 168 h"), ""),
    ],
)
def test_who_is_out(admission: dict[str, Any], why: str) -> None:
    assert wanted({"node01": admission}, ["node01", "of no lab"]) == {"node01": why}


def test_nodes_outside_slurm_are_not_named() -> None:
    assert wanted({"node01": entry("quarantined")}, []) == {}


def test_the_head_remembers_who_is_out_over_several_runs(tmp_path: Path) -> None:
    file = tmp_path / "gpulab" / "slurm.json"
    assert wanted_file.read(file) == {}
    assert not wanted_file.remember({"a": ""}, file, write=False)
    assert wanted_file.remember({"a": "why"}, file, write=False)
    assert not file.parent.exists()
    assert wanted_file.remember({"a": "why", "b": "", "c": "too"}, file)
    assert wanted_file.read(file) == {"a": "why", "c": "too"}
    # A run of one node says nothing of the others.
    assert wanted_file.remember({"c": ""}, file)
    assert wanted_file.read(file) == {"a": "why"}
    assert not wanted_file.remember({"a": "why"}, file)


@pytest.mark.parametrize("text", ["[]", '{"a": 1}', "{"])
def test_a_file_that_is_not_ours_is_told_and_written_anew(tmp_path: Path, text: str) -> None:
    file = tmp_path / "slurm.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"slurm\.json|Expecting"):
        wanted_file.read(file)
    assert wanted_file.remember({"a": "why"}, file)
    assert json.loads(file.read_text()) == {"a": "why"}
