"""Records of an earlier gpulab are read as today's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fleet_samples as samples
import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.records import records, upgrade


def as_schema_2(record: records.Record) -> dict[str, Any]:
    """Write a record as gpulab did until 2026-11."""
    old = json.loads(json.dumps(record))
    old["schema"] = 2
    old["smoke"] = old.pop("benchmark")
    old["training"].pop("measured")
    for check in old["checks"]:
        check["id"] = check["id"].replace("benchmark.", "smoke.")
    return dict(old)


def test_a_record_of_schema_2_is_read_as_one_of_today(tmp_path: Path) -> None:
    checks = [samples.finding("benchmark.run"), samples.finding("benchmark.stage.disk")]
    record = samples.record("node01", trained=samples.benchmark(checks=checks))
    path = tmp_path / samples.RUN_ID / "node01.json"
    path.parent.mkdir()
    path.write_text(json.dumps(as_schema_2(record)))
    assert "smoke.run" in path.read_text()
    assert records.load(path) == record


@pytest.mark.parametrize("other", [{}, {"schema": 1}, {"schema": 3, "smoke": 1}])
def test_what_is_no_record_of_schema_2_is_left_alone(other: dict[str, Any]) -> None:
    assert upgrade.to_present(other) == other


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"schema": 2}',
        '{"schema": 2, "checks": null, "training": 1}',
        '{"schema": 2, "checks": [1, {}, {"id": 3}], "training": []}',
    ],
)
def test_what_is_broken_is_refused_as_any_record_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "node01.json"
    path.write_text(text)
    with pytest.raises(records.RecordError, match="does not fit the record's schema"):
        records.load(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("smoke.run", "benchmark.run"),
        ("smoke.ddp.nonfinite", "benchmark.ddp.nonfinite"),
        ("smokestack", "smokestack"),
        ("gpu.smoke.x", "gpu.smoke.x"),
    ],
)
def test_names_of_checks(old: str, new: str) -> None:
    (check,) = upgrade.to_present({"schema": 2, "checks": [{"id": old}]})["checks"]
    assert check == {"id": new}
