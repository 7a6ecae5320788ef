"""The page holds everything, escapes everything, and asks the network for nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import fleet_samples as samples
import lab_samples
import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.records import records, runs
from ansible_collections.gpulab.core.plugins.plugin_utils.report import (
    lab_summary,
    line_chart,
    report,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.report import page as page_module

EVIL = "<script>alert('x')</script>\"'&"
VOID = {"br", "meta"}


class Page(HTMLParser):
    """What a browser would see: tags in balance, links, and text by element."""

    def __init__(self, text: str) -> None:
        """Read all of a page."""
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        found = dict(attrs)
        assert not any(name.startswith("on") for name in found)
        self.links += [
            found[key] or "" for key in ("href", "src", "data", "action") if key in found
        ]
        self.ids.add(found.get("id") or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text += data


def render(folder: Path, *expected: str, name: str = "basement") -> Page:
    report.write(folder, [{"name": host} for host in expected], name)
    return Page((folder / report.PAGE).read_text(encoding="utf-8"))


def test_page_of_a_mixed_lab(run_dir: Path, write_failures: Callable[..., None]) -> None:
    lost = samples.finding(
        "gpu.lost",
        part={"kind": "gpu", "name": "H100", "serial": "S1", "bdf": "0000:C1:00.0", "slot": "5"},
        status="fail",
        action="reseat it",
        evidence="GPU is lost",
    )
    records.save(samples.record("node01"), run_dir)
    records.save(samples.record("node02", checks=[lost], rack="A1", unit=7), run_dir)
    write_failures(samples.failure("node03", unreachable=True))
    page = render(run_dir, "node04")
    for node in ("node01", "node02", "node03", "node04"):
        assert node in page.text
    for told in (
        "node02 (rack A1 unit 7): GPU H100 (slot 5, 0000:C1:00.0, serial S1)",
        "reseat it",
        "GPU is lost",
        "free space on node03",
        "not reached in this run: verify",
        "/sys/devices/system/cpu",
        "Training tokens",
        "123,457",
        samples.RUN_ID,
    ):
        assert told in page.text
    assert page.tags.count("polyline") == 2
    assert page.tags.count("details") == 4


def test_nothing_from_a_machine_becomes_markup(
    run_dir: Path, write_failures: Callable[..., None]
) -> None:
    part = dict.fromkeys(("name", "serial", "bdf", "slot"), EVIL) | {"kind": "gpu"}
    bad = samples.finding(
        EVIL,
        part=part,
        observed=[EVIL],
        expected={EVIL: EVIL},
        unit=EVIL,
        source=EVIL,
        status="fail",
        action=EVIL,
        evidence=EVIL,
    )
    metric = {"id": EVIL, "scope": EVIL, "value": 1.0, "unit": EVIL}
    record = samples.record(
        "node01",
        groups=("compute", EVIL),
        checks=[bad, {**bad, "status": "pass", "action": ""}],
        trained=samples.benchmark(metrics=[metric], profile=EVIL),
        spec=EVIL,
        rack=EVIL,
        serial=EVIL,
    )
    records.save(record, run_dir)
    write_failures(samples.failure("node02", message=EVIL, action=EVIL, task=EVIL))
    page = render(run_dir, name=EVIL)
    assert "script" not in page.tags
    assert page.text.count(EVIL) > 20


def test_nothing_from_pairs_history_or_admission_becomes_markup(run_dir: Path) -> None:
    record = samples.record("node01")
    peer = lab_samples.metric("pair.bandwidth", 9.4, EVIL, f"peer:{EVIL}")
    slow = samples.finding("pair.bandwidth", status="fail", evidence=f"node01 to {EVIL}: slow")
    records.add_stage(record, records.PAIRS, [slow], [peer])
    odd = samples.finding("outlier.train.tokens_per_s", status="warn", evidence=EVIL)
    records.add_stage(record, records.FLEET, [odd])
    records.save(record, run_dir)
    run = runs.read(run_dir)
    summary = lab_summary.summarise(run, [], EVIL)
    summary["notices"] = [EVIL]
    summary["nodes"][0].update(state=EVIL, state_since=EVIL, state_reason=EVIL)
    past = {"run_id": EVIL, "at": EVIL, "verdict": EVIL, "metrics": {}}
    summary["history"] = {EVIL: [past]}
    read = Page(page_module.render(summary, run.records))
    assert "script" not in read.tags
    assert read.text.count(EVIL) > 8


def test_the_summarys_own_history_is_drawn(run_dir: Path) -> None:
    records.save(samples.record("node01"), run_dir)
    run = runs.read(run_dir)
    summary = lab_summary.summarise(run, [], "basement")
    assert "history" not in Page(page_module.render(summary, run.records)).ids
    summary["history"] = lab_samples.history(["node01"])
    read = Page(page_module.render(summary, run.records))
    assert "history" in read.ids
    assert read.tags.count("ol") == 1


def test_who_is_in_service_is_shown_where_it_is_decided(run_dir: Path) -> None:
    records.save(samples.record("node01"), run_dir)
    run = runs.read(run_dir)
    summary = lab_summary.summarise(run, [], "basement")
    assert "service" not in Page(page_module.render(summary, run.records)).text
    summary["nodes"][0].update(
        state="quarantined", state_since="2026-11-23T17:20:00Z", state_reason="taken out by hand"
    )
    text = Page(page_module.render(summary, run.records)).text
    for told in ("quarantined", "since 2026-11-23 17:20", "taken out by hand"):
        assert told in text


def test_page_is_alone_in_the_world(run_dir: Path) -> None:
    records.save(samples.record("node01"), run_dir)
    page = render(run_dir)
    text = (run_dir / report.PAGE).read_text(encoding="utf-8")
    assert not re.search(r"(?i)\b(https?:)?//\w|url\(|@import", text)
    assert not {"script", "img", "iframe", "object", "link"} & set(page.tags)
    for link in page.links:
        assert link[1:] in page.ids if link.startswith("#") else (run_dir / link).is_file()
    assert "default-src 'none'" in text
    for need in ("prefers-color-scheme: dark", "@media print", "max-width: 44rem", "width=device"):
        assert need in text


def test_page_of_a_lab_that_passes_says_that_there_is_nothing_to_do(run_dir: Path) -> None:
    records.save(samples.record("node01"), run_dir)
    assert "Nothing. Every check passed on every node." in render(run_dir).text


def test_page_of_an_empty_run_does_not_claim_success(run_dir: Path) -> None:
    page = render(run_dir)
    assert "Every check passed" not in page.text
    assert "No node was looked at" in page.text


def test_lab_json_is_written_beside_the_page(run_dir: Path) -> None:
    records.save(samples.record("node01"), run_dir)
    render(run_dir)
    assert json.loads((run_dir / "lab.json").read_text())["verdict"] == "pass"


def run_command(folder: Path) -> int:
    return report.main([str(folder)])


def test_command_passes_and_prints(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records.save(samples.record("node01"), run_dir)
    render(run_dir, "node01")
    assert run_command(run_dir) == 0
    told = capsys.readouterr().out
    assert told.startswith("PASS     lab basement, 1 node: 1 pass")
    assert "\033" not in told


def test_command_accepts_a_warning(run_dir: Path) -> None:
    records.save(samples.record("edge01", groups=("edge",), spec="none"), run_dir)
    render(run_dir)
    assert run_command(run_dir) == 0


@pytest.mark.parametrize("status", ["fail", "unknown"])
def test_command_refuses_a_lab_that_is_not_well(run_dir: Path, status: str) -> None:
    checks = [samples.finding(status=status, action="act")]
    records.save(samples.record("node01", checks=checks), run_dir)
    render(run_dir)
    assert run_command(run_dir) == 1


def test_command_remembers_the_node_that_left_no_record(run_dir: Path) -> None:
    records.save(samples.record("node01"), run_dir)
    render(run_dir, "node01", "node02")
    assert run_command(run_dir) == 1


@pytest.mark.parametrize("text", [None, "{", '{"schema": 1}'])
def test_command_without_the_list_of_nodes_cannot_pass(
    run_dir: Path, text: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    records.save(samples.record("node01"), run_dir)
    if text is not None:
        (run_dir / "lab.json").write_text(text)
    assert run_command(run_dir) == 1
    assert "nodes may be missing" in capsys.readouterr().out


def test_command_with_a_broken_record(run_dir: Path) -> None:
    records.save(samples.record("node01"), run_dir)
    render(run_dir)
    (run_dir / "node01.json").write_text("not json")
    assert run_command(run_dir) == 1


def test_command_on_something_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], [str(tmp_path / "nowhere")], ["--colour", str(tmp_path)]):
        with pytest.raises(SystemExit) as status:
            report.main(arguments)
        assert status.value.code == 2
    assert "nowhere is not the folder of a run" in capsys.readouterr().err


def test_curve_bridges_what_is_not_finite() -> None:
    chart = line_chart.chart({"node01": [4.0, None, float("nan"), 1.0], "node02": [2.0]})
    assert chart is not None
    (line,) = chart.lines
    assert len(line.points.split()) == 2
    assert line.last == "1"
    for point in line.points.split():
        x, y = map(float, point.split(","))
        assert chart.left <= x <= chart.right
        assert chart.top <= y <= chart.bottom


@pytest.mark.parametrize("values", [[2.0, 2.0], [1e-9, 1e9], [-5.0, 5.0], [0.0, 0.0, 0.0]])
def test_curve_has_a_few_round_ticks(values: list[float]) -> None:
    chart = line_chart.chart({"node01": list(values)})
    assert chart is not None
    assert 2 <= len(chart.up) <= 7
    assert all(chart.top <= tick.at <= chart.bottom for tick in chart.up)


def test_no_losses_no_chart() -> None:
    assert line_chart.chart({"node01": [], "node02": [None, 1.0]}) is None
