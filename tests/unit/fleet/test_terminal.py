"""The terminal's report is one screen for any lab, the worst first, and says what it leaves out."""

from __future__ import annotations

from pathlib import Path

import fleet_samples as samples
import lab_samples
import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.records import records, runs
from ansible_collections.gpulab.core.plugins.plugin_utils.report import (
    lab_summary,
    metric_table,
    terminal,
)


def lines_of(folder: Path, *expected: str) -> list[str]:
    run = runs.read(folder)
    hosts = [{"name": name, "groups": ["compute"]} for name in expected]
    summary = lab_summary.summarise(run, hosts, "basement")
    told = terminal.lines(summary, metric_table.table(run.records), Path("reports/x/index.html"))
    return [line.text for line in told]


def assert_fits(lines: list[str]) -> None:
    assert len(lines) <= terminal.HEIGHT
    assert max(map(len, lines)) <= 100
    assert lines[-1] == "Report: reports/x/index.html"


@pytest.mark.parametrize("nodes", [1, 4, 50])
def test_labs_of_any_size_fit(run_dir: Path, nodes: int) -> None:
    lab_samples.save(run_dir, lab_samples.lab(nodes, gpus=2))
    lines = lines_of(run_dir)
    assert_fits(lines)
    if nodes > 2:
        assert any("reseat the GPU in slot 5" in line for line in lines)


@pytest.mark.parametrize("nodes", [1, 3, 9, 50])
@pytest.mark.parametrize("length", [20, 900])
def test_labs_in_which_all_is_broken_fit(run_dir: Path, nodes: int, length: int) -> None:
    for number in range(nodes):
        checks = [
            samples.finding(
                f"c{number}.{n}",
                part={"kind": "gpu", "slot": str(n)},
                status="fail",
                evidence="seen " * (length // 5),
                action=f"{number}.{n} " + "do this " * (length // 8),
            )
            for n in range(9)
        ]
        records.save(samples.record(f"node{number:02}", checks=checks), run_dir)
    (run_dir / "failures.json").write_text("{")
    lines = lines_of(run_dir, *(f"lost{n}" for n in range(nodes)))
    assert_fits(lines)
    assert any("see the page" in line for line in lines)
    assert any("node00" in line for line in lines)


def test_what_is_left_out_is_counted(run_dir: Path) -> None:
    for number in range(30):
        check = samples.finding(f"c{number}", status="fail", action=f"do {number}")
        records.save(samples.record(f"node{number:02}", checks=[check]), run_dir)
    lines = lines_of(run_dir)
    assert_fits(lines)
    assert "  … and 25 more that did not pass: see the page" in lines
    shown = sum("→ do" in line for line in lines)
    assert f"  … and {30 - shown} more: see the page" in lines


def test_the_worst_comes_first(run_dir: Path) -> None:
    for number, status in enumerate(("pass", "warn", "unknown", "fail")):
        severity = "warn" if status == "warn" else "fail"
        check = samples.finding(status=status, severity=severity, action=f"mend {number}")
        records.save(samples.record(f"node{number:02}", checks=[check]), run_dir)
    text = "\n".join(lines_of(run_dir))
    assert text.index("mend 3") < text.index("mend 2") < text.index("mend 1")
    assert text.index("FAIL     node03") < text.index("UNKNOWN  node02") < text.index("WARN     ")


def test_one_part_with_many_findings_says_how_many_are_left_out(run_dir: Path) -> None:
    checks = [samples.finding(f"c{n}", status="fail", action="replace it") for n in range(40)]
    records.save(samples.record("node01", checks=checks), run_dir)
    lines = lines_of(run_dir)
    assert_fits(lines)
    assert "    … and 36 more of this part: see the page" in lines
    assert any("→ replace it" in line for line in lines)


def test_nodes_that_trained_earlier_are_counted(run_dir: Path) -> None:
    earlier = {
        "run_id": "20261101T000000Z",
        "at": "2026-11-01T00:01:00Z",
        "fingerprint": {},
        "measured": None,
    }
    for number in range(50):
        trained = samples.benchmark(training=earlier)
        records.save(samples.record(f"node{number:02}", trained=trained), run_dir)
    lines = lines_of(run_dir)
    assert_fits(lines)
    told = " ".join(" ".join(lines).split())
    assert "more trained in run 20261101T000000Z; nothing that it depends on has changed" in told


def test_who_is_in_service_is_one_line_and_notices_are_told(run_dir: Path) -> None:
    lab_samples.save(run_dir, lab_samples.lab(50, gpus=1))
    run = runs.read(run_dir)
    summary = lab_summary.summarise(run, [], "basement")
    for node in summary["nodes"]:
        good = node["verdict"] == "pass"
        node.update(state="in_service" if good else "quarantined", state_since="", state_reason="")
    summary["notices"] = ["the history is left out: it is locked"]
    told = terminal.lines(summary, metric_table.table(run.records), Path("reports/x/index.html"))
    lines = [line.text for line in told]
    assert_fits(lines)
    assert "  In service: 47 of 50; quarantined: node02, node03, node50" in lines
    assert any("the history is left out: it is locked" in line for line in lines)
