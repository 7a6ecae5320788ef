"""Which earlier training may stand for a new one."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import fleet_samples as samples
import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.history import earlier_trainings
from ansible_collections.gpulab.core.plugins.plugin_utils.records import paths, records

NOW = datetime.datetime.now(datetime.UTC)
FOUND = {"kernel": "6.1.0"}
MEASURED = {"device": "auto"}


def keep(reports: Path, run_id: str, at: int = 0, **trained: Any) -> Path:
    """Write node01's record of a run, ``at`` hours ago."""
    record = samples.record(
        "node01", trained=samples.benchmark(fingerprint=FOUND, measured=MEASURED, **trained)
    )
    record["run_id"] = run_id
    when = NOW - datetime.timedelta(hours=at)
    if "training" not in trained:
        record["training"] |= {"run_id": run_id, "at": when.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return records.save(record, reports / run_id)


def test_the_last_one_is_given_with_all_that_it_is_judged_by(tmp_path: Path) -> None:
    keep(tmp_path, "run1")
    (tmp_path / "latest").symlink_to("run1")
    found = earlier_trainings.last(tmp_path, "node01", 24, NOW)
    assert found is not None
    assert found["training"]["fingerprint"] == FOUND
    assert found["training"]["measured"] == MEASURED
    assert found["benchmark"] == samples.benchmark()["result"]


@pytest.mark.parametrize(
    ("valid_h", "node"),
    [
        pytest.param(2, "node01", id="too old"),
        pytest.param(0, "node01", id="none is wanted"),
        pytest.param(24, "node02", id="another node's"),
    ],
)
def test_there_is_none(tmp_path: Path, valid_h: float, node: str) -> None:
    keep(tmp_path, "run1", at=3)
    assert earlier_trainings.last(tmp_path, node, valid_h, NOW) is None


def test_the_last_one_counts_also_where_it_failed(tmp_path: Path) -> None:
    keep(tmp_path, "run1", at=3)
    keep(tmp_path, "run2", checks=[samples.finding("train.loss", status="fail")])
    found = earlier_trainings.last(tmp_path, "node01", 24, NOW)
    assert found is not None
    assert found["run_id"] == "run2"
    assert not earlier_trainings.is_good(earlier_trainings.checks_of(found))


def test_one_that_did_not_keep_how_it_ended_can_not_be_judged_again(tmp_path: Path) -> None:
    trained = samples.benchmark(fingerprint=FOUND)
    records.save(samples.record("node01", trained=trained), tmp_path / samples.RUN_ID)
    assert earlier_trainings.last(tmp_path, "node01", 24, NOW) is None


def test_a_record_that_can_not_be_believed_counts_as_well(tmp_path: Path) -> None:
    keep(tmp_path, "run1", at=3)
    keep(tmp_path, "run2").write_text("{")
    assert earlier_trainings.last(tmp_path, "node01", 24, NOW) is None


def test_a_node_that_was_lost_in_a_training_has_to_train(tmp_path: Path) -> None:
    keep(tmp_path, "run1", at=3)
    failure = samples.failure("node01", stage="benchmark", unreachable=True)
    document = {"schema": 1, "run_id": "run2", "failures": [failure]}
    paths.write_json(tmp_path / "run2" / "failures.json", document)
    assert earlier_trainings.last(tmp_path, "node02", 24, NOW) is None
    assert earlier_trainings.last(tmp_path, "node01", 24, NOW) is None


def test_another_nodes_failure_or_another_stages_does_not_matter(tmp_path: Path) -> None:
    keep(tmp_path, "run1", at=3)
    failures = [samples.failure("node02", stage="benchmark"), samples.failure("node01")]
    document = {"schema": 1, "run_id": "run2", "failures": failures}
    paths.write_json(tmp_path / "run2" / "failures.json", document)
    assert earlier_trainings.last(tmp_path, "node01", 24, NOW) is not None


def test_failures_that_can_not_be_read_may_be_anybodys(tmp_path: Path) -> None:
    keep(tmp_path, "run1", at=3)
    (tmp_path / "run2").mkdir()
    (tmp_path / "run2" / "failures.json").write_text("{")
    assert earlier_trainings.last(tmp_path, "node01", 24, NOW) is None


@pytest.mark.parametrize(
    ("checks", "good"),
    [
        pytest.param([], False, id="nothing was judged"),
        pytest.param([samples.finding("train.loss")], True, id="passed"),
        pytest.param([samples.finding("train.loss", status="warn")], False, id="warned"),
        # As true of a new training as of the old one.
        pytest.param(
            [samples.finding("a"), samples.finding("benchmark.untrained", status="unknown")],
            True,
            id="further GPUs are not trained on",
        ),
    ],
)
def test_which_findings_ask_for_another_training(checks: list[dict[str, Any]], good: bool) -> None:
    assert earlier_trainings.is_good(checks) is good


def test_one_that_could_not_tell_what_it_depends_on_stands_for_none(tmp_path: Path) -> None:
    record = samples.record("node01", trained=samples.benchmark(fingerprint={}, measured=MEASURED))
    records.save(record, tmp_path / samples.RUN_ID)
    assert earlier_trainings.last(tmp_path, "node01", 24, NOW) is None


def test_standing_for_one_does_not_prolong_it(tmp_path: Path) -> None:
    keep(tmp_path, "run1", at=23)
    first = earlier_trainings.last(tmp_path, "node01", 24, NOW)
    assert first is not None
    keep(tmp_path, "run2", at=1, training=first["training"])
    again = earlier_trainings.last(tmp_path, "node01", 24, NOW)
    assert again is not None
    assert again["training"]["run_id"] == "run1"
    later = NOW + datetime.timedelta(hours=2)
    assert earlier_trainings.last(tmp_path, "node01", 24, later) is None


@pytest.mark.parametrize(("status", "stands"), [("pass", True), ("warn", False), ("fail", False)])
def test_an_outlier_has_to_be_measured_again(tmp_path: Path, status: str, stands: bool) -> None:
    path = keep(tmp_path, "run1")
    record = records.load(path)
    found = samples.finding("baseline.train.tokens_per_s", status=status)
    records.add_stage(record, records.FLEET, [found])
    records.save(record, path.parent)
    assert (earlier_trainings.last(tmp_path, "node01", 24, NOW) is not None) == stands
