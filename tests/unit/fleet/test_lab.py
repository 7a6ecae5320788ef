"""The lab's verdict: the worst node decides, and nobody is left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import fleet_samples as samples
import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils import formatting
from ansible_collections.gpulab.core.plugins.plugin_utils.records import records, runs, schema
from ansible_collections.gpulab.core.plugins.plugin_utils.report import (
    lab_summary,
    metric_table,
    terminal,
)

NO_METRICS = metric_table.Table([], [])


def summarise(folder: Path, *expected: str, name: str = "basement") -> lab_summary.Summary:
    hosts = [{"name": host, "groups": ["compute"]} for host in expected]
    summary = lab_summary.summarise(runs.read(folder), hosts, name)
    schema.check(summary, "lab")
    return summary


def node_of(summary: lab_summary.Summary, name: str) -> dict[str, Any]:
    return next(node for node in summary["nodes"] if node["name"] == name)


def text_of(summary: lab_summary.Summary, metrics: metric_table.Table = NO_METRICS) -> str:
    lines = terminal.lines(summary, metrics, Path("index.html"))
    return "\n".join(line.text for line in lines)


def test_every_node_passes(run_dir: Path) -> None:
    for name in ("node01", "node02"):
        records.save(samples.record(name), run_dir)
    summary = summarise(run_dir, "node01", "node02")
    assert summary["verdict"] == "pass"
    assert summary["counts"] == {"pass": 2, "warn": 0, "fail": 0, "unknown": 0}
    assert summary["faults"] == []
    assert text_of(summary).splitlines() == [
        "PASS     lab basement, 2 nodes: 2 pass",
        "  PASS     node01, node02",
        "",
        "Report: index.html",
    ]


def test_a_training_over_nodes_is_no_benchmark_of_a_node(run_dir: Path) -> None:
    record = records.new(samples.RUN_ID, {"name": "node01", "groups": ["compute"]})
    records.add_verification(record, samples.hardware(), {"checks": [samples.finding()]}, "s")
    records.add_stage(record, records.DDP, [samples.finding("ddp.run")])
    records.save(record, run_dir)
    node = node_of(summarise(run_dir, "node01"), "node01")
    assert node["verdict"] == "unknown"
    assert "not reached in this run: benchmark" in node["reason"]


@pytest.mark.parametrize(
    ("status", "severity", "verdict"),
    [
        ("pass", "fail", "pass"),
        ("warn", "warn", "warn"),
        ("unknown", "warn", "warn"),
        ("unknown", "fail", "unknown"),
        ("fail", "fail", "fail"),
    ],
)
def test_one_bad_node_decides(run_dir: Path, status: str, severity: str, verdict: str) -> None:
    finding = samples.finding(status=status, severity=severity, action="act")
    records.save(samples.record("node01", checks=[finding]), run_dir)
    records.save(samples.record("node02"), run_dir)
    summary = summarise(run_dir)
    assert summary["verdict"] == verdict
    assert node_of(summary, "node02")["verdict"] == "pass"


def test_an_earlier_training_is_told_as_one(run_dir: Path) -> None:
    earlier = {
        "run_id": "20261101T000000Z",
        "at": "2026-11-01T00:01:00Z",
        "fingerprint": {},
        "measured": None,
    }
    records.save(samples.record("node01", trained=samples.benchmark(training=earlier)), run_dir)
    records.save(samples.record("node02"), run_dir)
    summary = summarise(run_dir)
    assert node_of(summary, "node01")["trained_in"] == "20261101T000000Z"
    told = " ".join(text_of(summary).split())
    assert "node01 trained in run 20261101T000000Z; nothing that it depends on has changed" in told
    assert "node02 trained" not in told


def test_no_node_is_unknown(run_dir: Path) -> None:
    summary = summarise(run_dir)
    assert summary["verdict"] == "unknown"
    assert "no node was looked at" in text_of(summary)


def test_node_without_record_is_unknown(run_dir: Path) -> None:
    records.save(samples.record("node01"), run_dir)
    summary = summarise(run_dir, "node01", "node02")
    assert summary["verdict"] == "unknown"
    assert node_of(summary, "node02")["reason"] == (
        "run.missing: not reached in this run: verify, benchmark"
    )
    assert "--limit node02 --tags verify" in text_of(summary)


@pytest.mark.parametrize("missing", ["verify", "benchmark"])
def test_compute_node_that_lacks_a_stage_is_unknown(run_dir: Path, missing: str) -> None:
    record = records.new(run_dir.name, {"name": "node01", "groups": ["compute"]})
    if missing == "benchmark":
        records.add_verification(record, samples.hardware(), {"checks": [samples.finding()]}, "s")
    else:
        records.add_benchmark(record, samples.benchmark())
    assert record["verdict"] == "pass"
    records.save(record, run_dir)
    summary = summarise(run_dir)
    assert summary["verdict"] == "unknown"
    assert f"not reached in this run: {missing}" in text_of(summary)


def test_other_node_needs_no_benchmark(run_dir: Path) -> None:
    records.save(samples.record("head01", groups=("controllers",)), run_dir)
    assert summarise(run_dir)["verdict"] == "pass"


def test_broken_record_is_unknown_and_named(run_dir: Path) -> None:
    records.save(samples.record("node01"), run_dir)
    (run_dir / "node02.json").write_text('{"schema": 1')
    summary = summarise(run_dir)
    assert summary["verdict"] == "unknown"
    assert "node02.json cannot be read" in node_of(summary, "node02")["reason"]


def test_failed_node_shows_stage_and_action(
    run_dir: Path, write_failures: Callable[..., None]
) -> None:
    records.save(samples.record("node01"), run_dir)
    write_failures(samples.failure("node02"))
    summary = summarise(run_dir, "node01", "node02")
    node = node_of(summary, "node02")
    assert (node["verdict"], node["record"]) == ("fail", "")
    assert node["reason"] == "run.failed: base: No space left on device"
    assert "→ free space on node02" in text_of(summary)


def test_failure_after_a_good_record_fails_the_node(
    run_dir: Path, write_failures: Callable[..., None]
) -> None:
    records.save(samples.record("node01"), run_dir)
    write_failures(samples.failure("node01", stage="benchmark"))
    assert summarise(run_dir)["verdict"] == "fail"


def test_task_for_every_host_is_no_nodes_fault(
    run_dir: Path, write_failures: Callable[..., None]
) -> None:
    """The head ran the task for all: it has passed, the nodes were not reached, the lab not."""
    records.save(samples.record("head01", groups=("controllers",)), run_dir)
    write_failures(samples.failure("head01", every_host=True, message="disk is full"))
    summary = summarise(run_dir, "node01")
    assert node_of(summary, "head01")["verdict"] == "pass"
    assert node_of(summary, "node01")["verdict"] == "unknown"
    assert "disk is full" in node_of(summary, "node01")["reason"]
    assert summary["problems"]


@pytest.mark.parametrize("text", ["{", '{"schema": 1}', "[]"])
def test_unreadable_failures_cannot_pass(run_dir: Path, text: str) -> None:
    records.save(samples.record("node01"), run_dir)
    (run_dir / "failures.json").write_text(text)
    summary = summarise(run_dir)
    assert node_of(summary, "node01")["verdict"] == "pass"
    assert summary["verdict"] == "unknown"
    assert "failures.json" in text_of(summary)


def gpu(**part: str) -> dict[str, str]:
    return {"kind": "gpu", "name": "H100", "serial": "", "bdf": "", "slot": "", **part}


def test_faults_are_told_by_part_worst_first(run_dir: Path) -> None:
    checks = [
        samples.finding("gpu.temp", part=gpu(serial="S1"), status="warn", action="clean the fans"),
        samples.finding("gpu.ecc", part=gpu(serial="S1"), status="fail", action="replace it"),
        samples.finding(
            "gpu.link", part=gpu(serial="S2", slot="5"), status="warn", action="reseat"
        ),
    ]
    records.save(samples.record("node01", checks=checks, rack="A1", unit=12), run_dir)
    first, second = summarise(run_dir)["faults"]
    assert first["label"] == "GPU H100 (serial S1)"
    assert first["place"] == "rack A1 unit 12"
    assert first["actions"] == ["replace it", "clean the fans"]
    assert second["label"] == "GPU H100 (slot 5, serial S2)"
    assert (first["verdict"], second["verdict"]) == ("fail", "warn")


def test_gpus_that_only_have_a_uuid_are_told_apart(run_dir: Path) -> None:
    checks = [
        samples.finding("gpu.ecc", part=gpu(uuid=uuid), status="fail", action="replace it")
        for uuid in ("GPU-1", "GPU-2")
    ]
    records.save(samples.record("node01", checks=checks), run_dir)
    assert [f["part"]["uuid"] for f in summarise(run_dir)["faults"]] == ["GPU-1", "GPU-2"]


def test_same_fault_on_many_nodes_is_one_thing_to_do(run_dir: Path) -> None:
    clock = samples.finding(
        "clock.sync", part={"kind": "clock"}, status="fail", action="start chrony"
    )
    for number in range(50):
        records.save(samples.record(f"node{number:02}", checks=[clock]), run_dir)
    text = text_of(summarise(run_dir))
    assert text.count("start chrony") == 1
    assert len(text.splitlines()) <= 24


def test_a_small_labs_report_fits_a_screen(run_dir: Path) -> None:
    for number in range(8):
        checks = [
            samples.finding(
                f"c{number}.{n}", status="fail", action=f"do {number}", evidence="x" * 300
            )
            for n in range(9)
        ]
        records.save(samples.record(f"node{number:02}", checks=checks), run_dir)
    lines = text_of(summarise(run_dir)).splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 100


def test_matrix_has_a_dash_for_what_was_not_measured() -> None:
    parts = [
        {"id": "gemm", "scope": f"gpu:{n}", "value": v, "unit": "TFLOP/s"}
        for n, v in enumerate([610.0, 650.5])
    ]
    found = {
        "node01": samples.record("node01", trained=samples.benchmark(metrics=parts)),
        "node02": samples.record(
            "node02",
            trained=samples.benchmark(
                metrics=[{"id": "mfu", "scope": "node", "value": None, "unit": ""}, parts[0]]
            ),
        ),
    }
    found["node03"] = samples.record("node03", groups=("edge",))
    nodes, rows = metric_table.table(found)
    assert nodes == ["node01", "node02"]
    assert [(row.id, row.unit, row.cells) for row in rows] == [
        ("gemm", "TFLOP/s", ["610 … 650.5", "610"]),
        ("mfu", "", [formatting.NOTHING, formatting.NOTHING]),
    ]


@pytest.mark.parametrize(
    ("item", "unit", "told"),
    [
        (None, "GiB", formatting.NOTHING),
        (0, "", "0"),
        (True, "", "yes"),
        (1234567, "W", "1,234,567 W"),
        (0.123456, "s", "0.1235 s"),
        (123456.7, "1/s", "123,457 1/s"),
        (0.0000012, "", "1.20e-06"),
        ([], "", "none"),
        (["V100", "A100"], "", "V100, A100"),
        ({"b": 1}, "", '{"b": 1}'),
        (1023, "B", "1023 B"),
        (352215040, "B", "335.9 MiB"),
    ],
)
def test_values_in_words(item: object, unit: str, told: str) -> None:
    assert formatting.value(item, unit) == told


def metrics_of(nodes: int) -> metric_table.Table:
    measured = [
        {"id": "train.tokens_per_s", "scope": "node", "value": 37370.8, "unit": "1/s"},
        {"id": "memory.peak", "scope": "node", "value": 2**30, "unit": "B"},
    ]
    trained = samples.benchmark(metrics=measured)
    names = [f"node{number:02}" for number in range(1, nodes + 1)]
    return metric_table.table({name: samples.record(name, trained=trained) for name in names})


def test_metrics_of_a_small_lab_are_printed(run_dir: Path) -> None:
    lines = text_of(summarise(run_dir), metrics_of(2)).splitlines()
    at = lines.index("Metrics                     node01  node02")
    assert lines[at + 1 : at + 3] == [
        "  train.tokens_per_s [1/s]  37,371  37,371",
        "  memory.peak                1 GiB   1 GiB",
    ]


def test_metrics_of_a_large_lab_are_left_to_the_page(run_dir: Path) -> None:
    assert "tokens_per_s" not in text_of(summarise(run_dir), metrics_of(40))
