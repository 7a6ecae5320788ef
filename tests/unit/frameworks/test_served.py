"""What the head serves, held against what the nodes want."""

from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.gpulab.core.plugins.module_utils.framework.served import compare


def serve(folder: Path, key: str, *, size: int = 5) -> None:
    """Put a wheelhouse into the folder whose manifest says that its one wheel has five bytes."""
    (folder / key).mkdir(parents=True)
    (folder / key / "a.whl").write_bytes(b"x" * size)
    manifest = {"files": [{"name": "a.whl", "bytes": 5}]}
    (folder / f"{key}.json").write_text(json.dumps(manifest))


def test_a_bare_head_misses_everything(tmp_path: Path) -> None:
    assert compare(tmp_path / "none", ["b", "a"], ["a-"]) == {
        "missing": ["a", "b"],
        "stale": [],
        "others": [],
    }


def test_half_a_copy_is_missing(tmp_path: Path) -> None:
    serve(tmp_path, "whole")
    serve(tmp_path, "cut", size=4)
    (tmp_path / "bare").mkdir()
    assert compare(tmp_path, ["whole", "cut", "bare"], [])["missing"] == ["bare", "cut"]


def test_only_the_same_family_is_replaced(tmp_path: Path) -> None:
    for key in (
        "pytorch-cpu-cp311-1",
        "pytorch-cpu-cp311-2",
        "pytorch-cpu-cp312-1",
        "tensorflow-1",
    ):
        serve(tmp_path, key)
    assert compare(tmp_path, ["pytorch-cpu-cp311-2"], ["pytorch-cpu-cp311-"]) == {
        "missing": [],
        "stale": ["pytorch-cpu-cp311-1"],
        "others": ["pytorch-cpu-cp312-1", "tensorflow-1"],
    }


def test_without_wishes_nothing_is_stale(tmp_path: Path) -> None:
    serve(tmp_path, "pytorch-1")
    assert compare(tmp_path, [], [])["others"] == ["pytorch-1"]


def test_removal_names_all_of_a_framework(tmp_path: Path) -> None:
    serve(tmp_path, "pytorch-1")
    serve(tmp_path, "tensorflow-1")
    found = compare(tmp_path, [], ["pytorch-"])
    assert (found["stale"], found["others"]) == (["pytorch-1"], ["tensorflow-1"])
