"""A record is built stage by stage, checked, and not believed when it does not add up."""

from __future__ import annotations

import json
import math
from pathlib import Path

import fleet_samples as samples
import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.records import paths, records, schema


def save_and_load(record: records.Record, folder: Path) -> records.Record:
    return records.load(records.save(record, folder))


def test_full_record_survives_the_disk(run_dir: Path) -> None:
    record = samples.record("node01", rack="A1", unit=12, serial="SN1")
    assert save_and_load(record, run_dir) == record
    assert record["verdict"] == "pass"
    assert record["stages"] == {"verify": "pass", "benchmark": "pass"}
    assert record["cohort"] == "8 x NVIDIA H100 80GB HBM3, xs, torch 2.13.0"
    assert record["durations_s"] == {"verify.cpu": 0.01, "benchmark.train": 12.5}
    assert [check["stage"] for check in record["checks"]] == ["verify", "benchmark"]


def test_new_record_is_unknown(run_dir: Path) -> None:
    record = records.new(run_dir.name, {"name": "node01"})
    assert save_and_load(record, run_dir)["verdict"] == "unknown"


def test_verification_without_any_check_is_unknown() -> None:
    assert samples.record("head01", groups=("controllers",), checks=[])["verdict"] == "unknown"


def test_node_without_spec_warns() -> None:
    record = samples.record("edge01", groups=("edge",), spec="none")
    assert record["verdict"] == "warn"
    assert record["checks"][-1]["id"] == "spec.declared"


def test_stage_that_runs_again_replaces_only_its_own_part() -> None:
    bad = samples.finding(status="fail", action="add cores")
    record = samples.record("node01", checks=[bad])
    assert record["verdict"] == "fail"
    records.add_verification(record, samples.hardware(), {"checks": [samples.finding()]}, "s")
    assert record["verdict"] == "pass"
    assert record["stages"] == {"verify": "pass", "benchmark": "pass"}
    assert len(record["checks"]) == 2


def test_training_over_nodes_stands_beside_the_benchmark(run_dir: Path) -> None:
    record = samples.record("node01")
    before = [check["id"] for check in record["checks"]]
    own = {**record["metrics"][0], "id": "ddp.efficiency", "scope": "gpus"}
    record["metrics"].append(own)
    metric = {**samples.benchmark()["metrics"][0], "id": "ddp.efficiency", "scope": "fleet"}
    for value in (0.5, 0.7):  # the second one replaces the first
        bad = samples.finding("ddp.loss_falls", status="fail", action="look at the network")
        records.add_stage(record, records.DDP, [bad], [{**metric, "value": value}])
    record = save_and_load(record, run_dir)
    assert sorted(check["id"] for check in record["checks"]) == sorted([*before, "ddp.loss_falls"])
    found = {one["scope"]: one["value"] for one in record["metrics"] if one["id"] == own["id"]}
    assert found == {"gpus": own["value"], "fleet": 0.7}
    assert record["stages"] == {"verify": "pass", "benchmark": "pass", "ddp": "fail"}


def test_failed_check_fails_the_record() -> None:
    check = samples.finding("train.loss", status="fail", action="look at the log")
    record = samples.record("node01", trained=samples.benchmark(checks=[check]))
    assert record["stages"] == {"verify": "pass", "benchmark": "fail"}
    assert record["verdict"] == "fail"


def test_a_benchmark_without_result_is_kept(run_dir: Path) -> None:
    trained = samples.benchmark(result=None, metrics=[], checks=[samples.finding(status="unknown")])
    record = save_and_load(samples.record("node01", trained=trained), run_dir)
    assert record["benchmark"] is None
    assert record["verdict"] == "unknown"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_number_that_json_lacks_becomes_null(run_dir: Path, number: float) -> None:
    trained = samples.benchmark(
        metrics=[{"id": "loss", "scope": "node", "value": number, "unit": ""}],
        result={"training": {"losses": [3.0, number]}},
    )
    record = save_and_load(samples.record("node01", trained=trained), run_dir)
    assert record["metrics"][0]["value"] is None
    assert record["benchmark"]["training"]["losses"] == [3.0, None]


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("schema", 1, "schema"),
        ("run_id", "../x", "run_id"),
        ("verdict", "ok", "verdict"),
        ("created", "yesterday", "created"),
        ("host", {"name": "node01"}, "host"),
        ("checks", [{"id": "x"}], "checks"),
        ("metrics", [{"id": "x", "scope": "node", "value": "fast", "unit": ""}], "metrics"),
        ("durations_s", {"verify.cpu": -1}, "durations_s"),
        ("stages", {"dance": "pass"}, "stages"),
        ("extra", 1, "extra"),
    ],
)
def test_schema_rejects_and_names_the_key(
    run_dir: Path, key: str, value: object, named: str
) -> None:
    record = samples.record("node01")
    record[key] = value
    with pytest.raises(records.RecordError, match=named):
        records.save(record, run_dir)
    assert not list(run_dir.iterdir())


@pytest.mark.parametrize("key", sorted(records.new("r", {"name": "n"})))
def test_schema_needs_every_key(key: str) -> None:
    record = samples.record("node01")
    del record[key]
    with pytest.raises(schema.SchemaError, match=key):
        schema.check(record, "record")


@pytest.mark.parametrize("status", ["ok", "", None])
def test_schema_rejects_a_status_of_its_own(status: str | None) -> None:
    record = samples.record("node01")
    record["checks"][0]["status"] = status
    with pytest.raises(schema.SchemaError, match=r"checks\[0\]\.status"):
        schema.check(record, "record")


@pytest.mark.parametrize("name", ["lab", "failures", "a/b", "..", "-x", "a b"])
def test_node_that_cannot_be_a_file(run_dir: Path, name: str) -> None:
    with pytest.raises(records.RecordError, match="name"):
        records.save(samples.record(name), run_dir)
    assert not list(run_dir.parent.glob("**/*.json"))


def damage(path: Path, **changes: object) -> None:
    record = json.loads(path.read_text())
    record.update(changes)
    path.write_text(json.dumps(record))


def test_record_whose_verdict_is_not_its_checks(run_dir: Path) -> None:
    path = records.save(samples.record("node01", checks=[samples.finding(status="fail")]), run_dir)
    damage(path, verdict="pass")
    with pytest.raises(records.RecordError, match="amount to fail"):
        records.load(path)


def test_record_of_another_node(run_dir: Path) -> None:
    path = records.save(samples.record("node01"), run_dir)
    with pytest.raises(records.RecordError, match="is the record of node01"):
        records.load(path.rename(run_dir / "node02.json"))


def test_record_of_another_run(run_dir: Path) -> None:
    path = records.save(samples.record("node01"), run_dir)
    damage(path, run_id="20200101T000000Z")
    with pytest.raises(records.RecordError, match="belongs to run 20200101T000000Z"):
        records.load(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"schema": 1}', "\xff"])
def test_broken_record(run_dir: Path, text: str) -> None:
    path = run_dir / "node01.json"
    path.write_text(text)
    with pytest.raises(records.RecordError, match=r"node01\.json"):
        records.load(path)


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    paths.write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        paths.write_json(path, {"a": math.nan})
    with pytest.raises(UnicodeEncodeError):
        paths.write_text(path, "\ud800")
    assert json.loads(path.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_latest_moves_and_spares_what_is_no_link(tmp_path: Path) -> None:
    for run in ("a", "b"):
        (tmp_path / run).mkdir()
        paths.point_latest(tmp_path / run)
        assert paths.latest_run(tmp_path) == run
        assert (tmp_path.parent / "latest").resolve() == tmp_path / run
    (tmp_path / "latest").unlink()
    (tmp_path / "latest").mkdir()
    with pytest.raises(paths.FolderError, match="not a link"):
        paths.point_latest(tmp_path / "a")
    assert paths.latest_run(tmp_path) == ""


def test_run_without_id_says_what_to_do() -> None:
    with pytest.raises(paths.FolderError, match="callbacks_enabled"):
        paths.run_folder("lab", "")
    with pytest.raises(paths.FolderError, match="GPULAB_RUN_ID"):
        paths.run_folder("lab", "../../etc")
