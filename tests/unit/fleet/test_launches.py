"""Crashes and restarts over the history, and not of one run: from the documents to the report."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import fleet_samples as samples
import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.history import history, launches
from ansible_collections.gpulab.core.plugins.plugin_utils.records import paths, records, runs
from ansible_collections.gpulab.core.plugins.plugin_utils.report import rebuild_history, report
from gpulab_bench import reliability

START = datetime.datetime(2026, 11, 1, 6, tzinfo=datetime.timezone.utc)


def document(failed: int, restarts: int, attempted: int = 4) -> dict[str, Any]:
    """What the benchmark tells of its launches, by its own code."""
    ended = ["crashed"] * failed + ["done"] * (attempted - failed)
    each = [
        reliability.launch("single", ["train"], how, stage=None, returncode=0, seconds=1, tail="")
        for how in ended
    ]
    return {"preset": "xs", "reliability": reliability.summarise(each, restarts, 160, 0)}


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    return tmp_path / "reports"


def run(
    reports: Path, day: float, result: dict[str, Any] | None, name: str = "node01", **changes: Any
) -> dict[str, float]:
    """Make a run and its report; returns the node's metrics."""
    at = START + datetime.timedelta(days=day)
    folder = reports / at.strftime("%Y%m%dT%H%M%SZ")
    folder.mkdir(parents=True)
    trained = samples.benchmark(result=result, measured={"outcome": {}}, **changes)
    record = samples.record(name, trained=trained)
    record["run_id"] = folder.name
    record["created"] = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    if record["training"]["run_id"] == samples.RUN_ID:
        record["training"]["run_id"] = folder.name
    records.save(record, folder)
    report.write(folder, [], "basement", max_age_h=1e6)
    return metrics_of(folder, name)


def metrics_of(folder: Path, name: str = "node01") -> dict[str, float]:
    record = records.load(folder / f"{name}.json")
    return {metric["id"]: metric["value"] for metric in record["metrics"]}


def rates(found: dict[str, float]) -> tuple[float | None, float | None]:
    return found.get("reliability.crash_rate.30d"), found.get("reliability.restarts.30d")


def test_crashes_add_up_over_the_runs(reports: Path) -> None:
    assert rates(run(reports, 0, document(1, 1))) == (0.25, 1)
    assert rates(run(reports, 1, document(0, 0))) == (0.125, 1)
    assert rates(run(reports, 2, document(2, 1, attempted=8))) == (3 / 16, 2)


def test_another_node_has_its_own(reports: Path) -> None:
    run(reports, 0, document(4, 3))
    assert rates(run(reports, 1, document(0, 0), "node02")) == (0, 0)


def test_what_is_older_than_thirty_days_is_forgotten(reports: Path) -> None:
    run(reports, 0, document(1, 1))
    run(reports, 5, document(1, 2))
    assert rates(run(reports, 30, document(0, 0))) == (2 / 12, 3)
    assert rates(run(reports, 30.5, document(0, 0))) == (1 / 12, 2)


def test_a_benchmark_without_a_document_is_a_launch_that_failed(reports: Path) -> None:
    run(reports, 0, document(0, 0))
    assert rates(run(reports, 1, None)) == (1 / 5, 0)


def test_an_earlier_training_that_stands_is_not_counted_twice(reports: Path) -> None:
    run(reports, 0, document(1, 1))
    stands = {"run_id": "20261101T060000Z", "at": "2026-11-01T06:00:00Z", "fingerprint": {}}
    found = run(reports, 1, document(1, 1), training={**stands, "measured": {}})
    assert rates(found) == (0.25, 1)


def test_the_report_once_more_gives_the_same(reports: Path) -> None:
    run(reports, 0, document(1, 1))
    folder = reports / "20261102T060000Z"
    run(reports, 1, document(1, 1))
    before = metrics_of(folder)
    report.write(folder, [], "basement", max_age_h=1e6)
    assert metrics_of(folder) == before
    # And so does that of the first run: what came later was not known then.
    report.write(reports / "20261101T060000Z", [], "basement", max_age_h=1e6)
    assert rates(metrics_of(reports / "20261101T060000Z")) == (0.25, 1)


def test_a_new_baseline_forgets_no_crash(reports: Path) -> None:
    run(reports, 0, document(1, 1))
    with history.connect(paths.state_of(reports / "any") / history.FILE) as connection:
        assert history.forget_metrics(connection) > 0
    assert rates(run(reports, 1, document(0, 0))) == (0.125, 1)


def test_the_page_and_prometheus_name_them(reports: Path) -> None:
    run(reports, 0, document(1, 1))
    folder = reports / "20261101T060000Z"
    assert "Crash rate, 30 days" in (folder / report.PAGE).read_text()
    assert "Restarts, 30 days" in (folder / report.PAGE).read_text()
    prometheus = (folder / report.PROMETHEUS).read_text()
    assert 'metric="reliability.crash_rate.30d"' in prometheus


def test_without_the_history_they_are_not_known(
    reports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run's own rate would be taken for that of thirty days."""
    run(reports, 0, document(0, 0))

    def broken(*_: Any) -> None:
        raise history.HistoryError("it is locked")

    monkeypatch.setattr(history, "connect", broken)
    assert rates(run(reports, 1, document(1, 1))) == (None, None)


def test_a_history_from_before_gets_them_from_the_reports(
    reports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(launches, "write", lambda *_: None)
        run(reports, 0, document(1, 1))
    taken, problems = rebuild_history.from_reports(reports, paths.state_of(reports / "any"))
    assert (taken, problems) == (1, [])
    assert rates(run(reports, 1, document(0, 0))) == (0.125, 1)


@pytest.mark.parametrize(
    "counts",
    [
        None,
        {},
        {"attempted": "4", "failed": 0, "restarts": 0},
        {"attempted": 4, "failed": True, "restarts": 0},
        {"attempted": 4, "failed": -1, "restarts": 0},
        {"attempted": 0, "failed": 0, "restarts": 0},
    ],
)
def test_counts_that_cannot_be_used_are_left_out(reports: Path, counts: object) -> None:
    assert rates(run(reports, 0, {"preset": "xs", "reliability": counts})) == (None, None)
    folder = next(reports.glob("2026*"))
    (record,) = runs.read(folder).records.values()
    assert launches.of_record(record) is None
