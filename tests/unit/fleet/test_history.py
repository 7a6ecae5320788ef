"""What happened to each part: kept across nodes and reinstalls, read again without a change."""

from __future__ import annotations

import json
import multiprocessing
import sqlite3
from pathlib import Path
from typing import Any

import fleet_samples as samples
import pytest
from history_lab import GPU, OTHER, Lab, bad, checks_of, gpu, node, past_file

from ansible_collections.gpulab.core.plugins.plugin_utils.history import (
    baselines,
    history,
    history_queries,
    lookup,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.records import parts, paths, records
from ansible_collections.gpulab.core.plugins.plugin_utils.report import rebuild_history, report


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def ask(part: str = "") -> dict[str, Any]:
    with history.connect(past_file()) as connection:
        return lookup.answer(connection, part)


def text_of(answer: dict[str, Any]) -> str:
    return "\n".join(line.text for line in lookup.lines(answer))


def dump(state_dir: Path) -> list[str]:
    connection = sqlite3.connect(state_dir / history.FILE)
    try:
        return sorted(connection.iterdump())
    finally:
        connection.close()


def test_a_second_report_changes_nothing(lab: Lab, state_dir: Path) -> None:
    lab.run(node("node01", gpu(), tokens=100.0), node("node02", gpu(OTHER), tokens=90.0))
    folder = lab.run(node("node01", gpu(), checks=[bad()]), node("node02", gpu(OTHER)))

    def all_of_it() -> Any:  # noqa: ANN401  compared as a whole
        summary = json.loads((folder / "lab.json").read_text())
        summary.pop("created")
        kept = [(folder / f"{name}.json").read_bytes() for name in ("node01", "node02")]
        return summary, kept, dump(state_dir), (state_dir / "admission.json").read_bytes()

    before = all_of_it()
    report.write(folder, [], "basement")
    assert all_of_it() == before


def test_an_older_report_made_again_changes_nothing(lab: Lab, state_dir: Path) -> None:
    first = lab.run(node("node01", gpu(), checks=[bad()]))
    lab.run(node("node01", gpu()))
    before = dump(state_dir), (state_dir / "admission.json").read_bytes()
    report.write(first, [], "basement")
    assert (dump(state_dir), (state_dir / "admission.json").read_bytes()) == before


def test_a_part_keeps_its_history_when_it_moves(lab: Lab) -> None:
    lab.run(node("node01", gpu(), checks=[bad()]), node("node02"))
    lab.run(node("node01"), node("node02", gpu()))
    answer = ask(GPU)
    assert [place["node"] for place in answer["places"]] == ["node01", "node02"]
    assert answer["places"][0]["slot"] == "5"
    first = answer["events"][0]
    assert (first["node"], first["status"], first["told"]) == ("node01", "fail", "3 uncorrected")
    assert "on node01 (slot 5, 0000:c1:00.0): 2026-11-01 01:00, 1 run" in text_of(answer)


def test_passes_are_kept_only_where_something_changed(lab: Lab) -> None:
    good = bad() | {"status": "pass"}
    lab.run(node("node01", gpu(), checks=[good]))
    assert ask(GPU)["events"] == []
    for checks in ([bad()], [bad()], [good], [good]):
        lab.run(node("node01", gpu(), checks=checks))
    assert [event["status"] for event in ask(GPU)["events"]] == ["fail", "fail", "pass"]


@pytest.mark.parametrize(
    "wanted",
    ["GPU-6ac3", "gpu-6AC3", "16541", "gpu:GPU-6ac3"],
)
def test_a_part_is_found_by_how_its_name_begins(lab: Lab, wanted: str) -> None:
    lab.run(node("node01", gpu()), node("node02", gpu(OTHER)))
    assert ask(wanted)["part"]["uuid"] == GPU


@pytest.mark.parametrize(
    ("wanted", "key"),
    [
        ("S4EVNX0R1", "disk:S4EVNX0R1"),
        ("3A1C2", "dimm:3A1C2"),
        ("0C:42:A1:00:00:012", "nic:0c:42:a1:00:00:012"),
        ("0c:42:a1:00:00:011", "nic:0c:42:a1:00:00:011"),
        ("J1XY", "node:J1XYZ"),
    ],
)
def test_every_kind_of_part_is_found(lab: Lab, wanted: str, key: str) -> None:
    lab.run(node("node01", gpu(), serial="J1XYZ"), node("node02", gpu(OTHER)))
    assert ask(wanted)["part"]["key"] == key


def test_several_and_none_are_told(lab: Lab) -> None:
    lab.run(node("node01", gpu()), node("node02", gpu(OTHER)))
    answer = ask("GPU-")
    assert [item["key"] for item in answer["candidates"]] == [f"gpu:{GPU}", f"gpu:{OTHER}"]
    assert "say more of the one that you mean" in text_of(answer)
    assert f"gpu:{OTHER}  H100" in text_of(answer)
    assert "knows no part and no node" in text_of(ask("%"))


def test_a_whole_name_is_not_mistaken_for_a_beginning(lab: Lab) -> None:
    lab.run(node("node1"), node("node12"))
    assert ask("node1")["node"] == "node1"


def test_a_node_tells_its_parts_faults_and_admissions(lab: Lab) -> None:
    clock = samples.finding("clock.sync", part={"kind": "clock"}, status="fail", evidence="stopped")
    lab.run(node("node01", gpu(), checks=[clock]))
    lab.run(node("node01", gpu()))
    answer = ask("node01")
    assert f"gpu:{GPU}" in [part["key"] for part in answer["parts"]]
    assert [turn["state"] for turn in answer["admissions"]] == ["quarantined", "in_service"]
    text = text_of(answer)
    assert "2026-11-01 01:00  FAIL     clock  clock.sync: stopped" in text
    assert "quarantined by run 20261101T010000Z  clock.sync: stopped" in text


def test_without_a_part_all_that_failed_is_listed(lab: Lab) -> None:
    assert "No part has failed" in text_of(ask())
    lab.run(node("node01", gpu(), checks=[bad()]), node("node02", gpu(OTHER)))
    (fault,) = ask()["faults"]
    assert (fault["part"], fault["failures"], fault["nodes"]) == (f"gpu:{GPU}", 1, 1)
    assert "failed in 1 run; last 2026-11-01 01:00 on node01" in text_of(ask())


def test_a_gpu_that_fell_off_the_bus_is_known_by_its_place(lab: Lab) -> None:
    lab.run(node("node01", gpu()))
    lost = bad({"kind": "gpu", "name": "H100", "bdf": "0000:C1:00.0"})
    lab.run(node("node01", checks=[lost]))
    assert [event["status"] for event in ask(GPU)["events"]] == ["fail"]


# Parts that come back.


def returned(folder: Path, name: str) -> list[str]:
    return [found["status"] for found in checks_of(folder, name, history_queries.RETURNED.id)]


def test_the_same_bad_gpu_comes_back_from_repair(lab: Lab) -> None:
    lab.run(node("node01", gpu(), checks=[bad()]), node("node02"))
    lab.run(node("node01", gpu(OTHER)), node("node02"))
    folder = lab.run(node("node01", gpu(OTHER)), node("node02", gpu()))
    assert returned(folder, "node01") == ["pass"]
    (finding,) = checks_of(folder, "node02", history_queries.RETURNED.id)
    assert (finding["status"], finding["severity"]) == ("warn", "warn")
    assert finding["part"]["uuid"] == GPU
    assert (
        "failed on node01 at 2026-11-01T01:00:00Z (gpu.ecc: 3 uncorrected)" in finding["evidence"]
    )
    assert records.load(folder / "node02.json")["verdict"] == "warn"


def test_it_comes_back_to_where_it_was(lab: Lab) -> None:
    lab.run(node("node01", gpu(), checks=[bad()]))
    lab.run(node("node01", gpu(OTHER)))
    assert returned(lab.run(node("node01", gpu())), "node01") == ["warn"]


def test_a_part_that_stays_and_is_mended_has_not_come_back(lab: Lab) -> None:
    lab.run(node("node01", gpu(), checks=[bad()]))
    assert returned(lab.run(node("node01", gpu())), "node01") == ["pass"]


def test_a_part_that_never_failed_may_move(lab: Lab) -> None:
    warned = bad() | {"status": "warn"}
    lab.run(node("node01", gpu(), checks=[warned]), node("node02"))
    assert returned(lab.run(node("node01"), node("node02", gpu())), "node02") == ["pass"]


def test_what_was_not_looked_for_was_not_away(lab: Lab) -> None:
    lab.run(node("node01", gpu(), checks=[bad()]))
    lab.run(node("node01", facts={"nvidia": None}))
    assert returned(lab.run(node("node01", gpu())), "node01") == ["pass"]


def test_it_is_watched_for_three_quiet_runs(lab: Lab) -> None:
    lab.run(node("node01", gpu(), checks=[bad()]))
    lab.run(node("node01"))
    told = [returned(lab.run(node("node01", gpu())), "node01") for _ in range(4)]
    assert told == [["warn"], ["warn"], ["warn"], ["pass"]]


def test_a_name_that_two_places_have_is_none() -> None:
    """Virtual disks are all called alike; their failures must not travel."""
    found = {name: node(name, gpu()) for name in ("node01", "node02")}
    keys = [part.key for fitted in parts.seen(found).values() for part in fitted]
    assert f"gpu:{GPU}" not in keys
    assert "disk:S4EVNX0R1" in keys


def test_a_containers_view_of_its_host_is_left_out() -> None:
    record = node("node01", gpu(), facts={"os": {"virtualization": "container"}})
    assert [part.key for part in parts.of(record)] == [f"gpu:{GPU}"]


# Numbers against the past.

BASELINE = "baseline.train.tokens_per_s"


def measured(lab: Lab, tokens: float, **kinds: Any) -> tuple[list[str], dict[str, Any]]:
    folder = lab.run(node("node01", gpu(), tokens=tokens, **kinds))
    statuses = [found["status"] for found in checks_of(folder, "node01", BASELINE)]
    return statuses, records.load(folder / "node01.json")["metrics"][0]


def eight(lab: Lab) -> None:
    for tokens in (99.0, 99.5, 100.0, 100.5, 101.0, 99.2, 100.8, 100.0):
        assert measured(lab, tokens)[0] == []


def test_an_outlier_is_confirmed_by_a_second_run(lab: Lab) -> None:
    eight(lab)
    statuses, metric = measured(lab, 90.0)
    assert statuses == ["warn"]
    assert metric["baseline"] == 100.0
    assert metric["z"] < -3.5
    assert measured(lab, 90.0)[0] == ["fail"]
    assert measured(lab, 100.0)[0] == []


def test_an_outlier_that_was_one_bad_day_is_forgotten(lab: Lab) -> None:
    eight(lab)
    assert measured(lab, 90.0)[0] == ["warn"]
    assert measured(lab, 100.0)[0] == []
    assert measured(lab, 90.0)[0] == ["warn"]


def test_an_outlier_names_the_gpu_and_what_to_do(lab: Lab) -> None:
    eight(lab)
    folder = lab.run(node("node01", gpu(), tokens=90.0))
    (finding,) = checks_of(folder, "node01", BASELINE)
    assert (finding["part"]["uuid"], finding["part"]["serial"]) == (GPU, "16541")
    assert finding["part"]["slot"] == "5"
    assert "10.0 % below the median 100 1/s of 8, modified z" in finding["evidence"]
    assert "to be confirmed by a second run" in finding["evidence"]
    assert "--limit node01 --tags verify" in finding["action"]


def test_a_report_made_again_confirms_nothing(lab: Lab) -> None:
    eight(lab)
    folder = lab.run(node("node01", gpu(), tokens=90.0))
    report.write(folder, [], "basement")
    assert [f["status"] for f in checks_of(folder, "node01", BASELINE)] == ["warn"]


def test_an_earlier_training_that_stands_confirms_nothing(lab: Lab) -> None:
    """Its number is the earlier run's: neither a second measurement nor a further sample."""
    eight(lab)
    first = lab.run(node("node01", gpu(), tokens=90.0))
    training = records.load(first / "node01.json")["training"]
    record = node("node01", gpu(), tokens=90.0)
    folder = lab.reports / "20261102T000000Z"
    folder.mkdir()
    record.update(run_id=folder.name, training=training, created="2026-11-02T00:00:00Z")
    records.save(record, folder)
    report.write(folder, [], "basement")
    assert [f["status"] for f in checks_of(folder, "node01", BASELINE)] == ["warn"]
    with history.connect(past_file()) as connection:
        query = "SELECT count(*) FROM metrics WHERE run_id = ?"
        assert connection.execute(query, (folder.name,)).fetchone()[0] == 0


def test_failed_runs_and_other_cohorts_are_no_baseline(lab: Lab) -> None:
    for _ in range(8):
        measured(lab, 100.0, checks=[bad()])
    statuses, metric = measured(lab, 50.0)
    assert (statuses, metric["baseline"]) == ([], None)


def test_a_processor_alone_only_warns(lab: Lab) -> None:
    for number in range(8):
        lab.run(node("node01", tokens=100.0 + number))
    for _ in range(2):
        folder = lab.run(node("node01", tokens=50.0))
    (finding,) = checks_of(folder, "node01", BASELINE)
    assert (finding["status"], finding["severity"]) == ("warn", "warn")
    assert "to be confirmed" not in finding["evidence"]


def peers(lab: Lab, *tokens: float) -> dict[str, list[str]]:
    names = [f"node{number}" for number in range(len(tokens))]
    folder = lab.run(
        *(
            node(name, gpu(f"GPU-{name}"), tokens=value)
            for name, value in zip(names, tokens, strict=True)
        )
    )
    found = {name: checks_of(folder, name, BASELINE) for name in names}
    return {name: [f["status"] for f in bad_] for name, bad_ in found.items() if bad_}


def test_without_a_past_the_peers_of_the_run_are_the_baseline(lab: Lab) -> None:
    assert peers(lab, 100.0, 50.0) == {}
    assert peers(lab, 100.0, 101.0, 88.0) == {"node2": ["fail"]}


def test_eight_peers_need_a_second_run(lab: Lab) -> None:
    tokens = (100.0, 100.1, 99.9, 100.2, 99.8, 100.3, 99.7, 94.0)
    assert peers(lab, *tokens) == {"node7": ["warn"]}
    assert peers(lab, *tokens) == {"node7": ["fail"]}


def test_a_whole_report_tells_the_nodes_past(lab: Lab) -> None:
    lab.run(node("node01", gpu(), tokens=100.0))
    folder = lab.run(node("node01", gpu(), tokens=101.0, checks=[bad()]))
    told = report.read_summary(folder)["history"]["node01"]
    assert [(run["verdict"], run["metrics"]) for run in told] == [
        ("pass", {"train.tokens_per_s": 100.0}),
        ("fail", {"train.tokens_per_s": 101.0}),
    ]


# The file.


@pytest.mark.parametrize(
    "content", [b"this is no database at all, is it", b"SQLite format 3\0" * 9]
)
def test_a_broken_database_does_not_cost_the_report(
    lab: Lab, state_dir: Path, content: bytes
) -> None:
    state_dir.mkdir(parents=True)
    file = state_dir / history.FILE
    file.write_bytes(content)
    folder = lab.run(node("node01", gpu(), tokens=100.0))
    summary = report.read_summary(folder)
    (notice,) = summary["notices"]
    assert "move it away" in notice
    assert summary["nodes"][0]["state"] == "in_service"
    assert returned(folder, "node01") == ["unknown"]
    # What was not known is no pass; as nothing else is wrong, it is a warning.
    assert summary["verdict"] == "warn"
    assert file.read_bytes() == content


def test_a_lost_history_is_made_anew_from_the_reports(lab: Lab, state_dir: Path) -> None:
    lab.run(node("node01", gpu(), checks=[bad()]), node("node02"))
    lab.run(node("node01", gpu(OTHER)), node("node02", gpu(), tokens=100.0))
    (lab.reports / "broken").mkdir()

    def tables() -> list[str]:
        return [line for line in dump(state_dir) if "admissions" not in line]

    before = tables()
    for file in state_dir.glob(f"{history.FILE}*"):
        file.unlink()
    taken, (problem,) = rebuild_history.from_reports(lab.reports, state_dir)
    assert taken == 2
    assert problem.startswith("broken: no report that can be used")
    assert tables() == before


def test_a_locked_database_does_not_cost_the_report(
    lab: Lab, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "BUSY_S", 0.1)
    lab.run(node("node01", gpu()))
    other = sqlite3.connect(state_dir / history.FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        folder = lab.run(node("node01", gpu()))
    finally:
        other.close()
    summary = report.read_summary(folder)
    assert summary["verdict"] == "pass"
    (notice,) = summary["notices"]
    assert "is locked by another process" in notice
    assert report.write(folder, [], "basement").summary["notices"] == []


def test_a_history_of_a_later_gpulab_is_left_alone(lab: Lab, state_dir: Path) -> None:
    lab.run(node("node01", gpu()))
    connection = sqlite3.connect(state_dir / history.FILE)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(history.HistoryError, match="update gpulab"), history.connect(past_file()):
        pass
    (notice,) = report.read_summary(lab.run(node("node01", gpu())))["notices"]
    assert "written by a later gpulab" in notice


def test_an_older_history_is_brought_up_to_date(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.run(node("node01", gpu()))
    added = "ALTER TABLE parts ADD COLUMN note TEXT NOT NULL DEFAULT 'none';\n"
    newest = len(history.MIGRATIONS) + 1
    monkeypatch.setattr(history, "MIGRATIONS", (*history.MIGRATIONS, added))
    with history.connect(past_file()) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == newest
        notes = [row["note"] for row in connection.execute("SELECT note FROM parts")]
    assert set(notes) == {"none"}
    with history.connect(past_file()) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone()[0] == 1


def test_checks_of_the_benchmark_have_today_s_names(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(history, "MIGRATIONS", history.MIGRATIONS[:1])
        lab.run(node("node01", gpu()))
        with history.connect(past_file()) as connection:
            connection.executemany(
                "INSERT INTO findings SELECT run_id, 'node01', '', '', ?, 'fail', 'fail', '', '' "
                "FROM runs",
                [("smoke.run",), ("smoke.stage.disk",), ("gpu.xid",)],
            )
    with history.connect(past_file()) as connection:
        rows = connection.execute("SELECT check_id FROM findings ORDER BY rowid DESC LIMIT 3")
        names = {row["check_id"] for row in rows}
    assert names == {"benchmark.run", "benchmark.stage.disk", "gpu.xid"}


def test_a_migration_that_fails_leaves_the_history_as_it_was(
    lab: Lab, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.run(node("node01", gpu()))
    before = dump(state_dir)
    broken = "CREATE TABLE fine (a TEXT);\nALTER TABLE missing ADD COLUMN a TEXT;\n"
    with monkeypatch.context() as patched:
        patched.setattr(history, "MIGRATIONS", (*history.MIGRATIONS, broken))
        with pytest.raises(history.HistoryError), history.connect(past_file()):
            pass
    assert dump(state_dir) == before
    with history.connect(past_file()) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == len(history.MIGRATIONS)


def _report(folder: Path) -> None:
    report.write(folder, [], "basement")


def test_runs_that_end_at_once_are_all_kept(tmp_path: Path) -> None:
    """Processes of their own, also for making the file."""
    made = []
    for number in range(1, 7):
        folder = tmp_path / "reports" / samples.LAB / f"run{number}"
        folder.mkdir(parents=True)
        record = node(f"node0{number}", gpu(f"GPU-{number}"), tokens=100.0)
        record["run_id"] = folder.name
        record["training"]["run_id"] = folder.name
        records.save(record, folder)
        made.append(folder)
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_report, args=(folder,)) for folder in made]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 6
    assert [report.read_summary(folder)["notices"] for folder in made] == [[]] * 6
    with history.connect(past_file()) as connection:
        runs_ = connection.execute("SELECT count(*) FROM runs").fetchone()[0]
    assert runs_ == 6


def test_the_files_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(paths.STATE_VARIABLE, "")
    monkeypatch.setenv(paths.REPORTS_VARIABLE, str(tmp_path / "reports"))
    assert paths.state_dir("mine-1") == tmp_path / "state" / "mine-1"
    assert paths.state_of(tmp_path / "reports" / "mine-1" / "run") == tmp_path / "state" / "mine-1"
    with pytest.raises(paths.FolderError, match="lies in no lab's folder"):
        paths.state_of(tmp_path / "reports" / "run")
    monkeypatch.setenv(paths.STATE_VARIABLE, str(tmp_path / "mine"))
    assert paths.state_dir("mine-1") == tmp_path / "mine" / "mine-1"


def test_the_outlier_of_the_file_is_the_judges() -> None:
    told = baselines.judge(90.0, [100.0, 100.0, 100.0], baselines.HIGHER)
    metric = {"id": "gemm.tflops", "value": 90.0, "baseline": told.baseline, "z": told.z}
    assert baselines.is_outlier(metric) == told.outlier
