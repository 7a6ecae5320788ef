"""What the page draws, as numbers: matrix, overview, step times, heat maps, history."""

from __future__ import annotations

from typing import Any

import fleet_samples as samples
import lab_samples
import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils import formatting
from ansible_collections.gpulab.core.plugins.plugin_utils.records.records import (
    FLEET,
    PAIRS,
    Record,
    add_stage,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.report import (
    all_findings,
    box_plot,
    heatmap,
    line_chart,
    metric_catalogue,
    metric_overview,
    metric_table,
    timeline,
)


def record_of(name: str, *metrics: dict[str, Any], **more: Any) -> Record:
    return samples.record(name, trained=samples.benchmark(metrics=list(metrics)), **more)


def speed(value: float, scope: str = "node", **more: Any) -> dict[str, Any]:
    return lab_samples.metric("train.tokens_per_s", value, "1/s", scope, **more)


def odd(check: str, **part: str) -> dict[str, Any]:
    return samples.finding(
        check, part={"kind": "gpu", **part}, status="warn", severity="warn", evidence="23 % below"
    )


def row_of(records: dict[str, Record], metric: str) -> metric_table.Row:
    (row,) = [row for row in metric_table.table(records).rows if row.id == metric]
    return row


# --- outliers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("check", ["train.tokens_per_s", "uniformity.train.tokens_per_s"])
def test_an_outliers_finding_marks_its_metric_alone(check: str) -> None:
    other = lab_samples.metric("tokens_per_s", 1.0, "1/s")
    record = record_of("node01", speed(77.0, baseline=100.0, z=-9.0), other)
    add_stage(record, FLEET, [odd(check)])
    records = {"node01": record, "node02": record_of("node02", speed(100.0), other)}
    (mark, none) = row_of(records, "train.tokens_per_s").marks
    assert mark == ("low", "23 % below")
    assert none is None
    assert row_of(records, "tokens_per_s").marks == [None, None]


@pytest.mark.parametrize(
    ("stage", "status"), [(FLEET, "pass"), (FLEET, "unknown"), ("verify", "warn")]
)
def test_nothing_else_marks_a_metric(stage: str, status: str) -> None:
    record = record_of("node01", speed(77.0, baseline=100.0, z=-9.0))
    add_stage(record, stage, [{**odd("train.tokens_per_s"), "status": status}])
    assert row_of({"node01": record}, "train.tokens_per_s").marks == [None]


def test_only_the_gpu_that_stands_out_is_marked() -> None:
    scopes = [f"gpu:{lab_samples.uuid('node01', gpu)}" for gpu in range(2)]
    record = record_of("node01", speed(120.0, scopes[0], baseline=100.0), speed(99.0, scopes[1]))
    add_stage(record, FLEET, [odd("train.tokens_per_s", uuid=lab_samples.uuid("node01", 0))])
    (group, *_) = metric_overview.groups({"node01": record})
    row = next(row for row in group.rows if row.label == "Training tokens")
    assert [dot.marked for dot in row.dots] == [False, True]
    assert row_of({"node01": record}, "train.tokens_per_s").marks == [("high", "23 % below")]


# --- tables of metrics ------------------------------------------------------------------------


def test_pairs_are_left_to_the_heat_map() -> None:
    records = lab_samples.lab(3, gpus=1)
    assert not any(row.id.startswith("pair.") for row in metric_table.table(records).rows)


def test_the_page_shows_nodes_with_an_outlier_first() -> None:
    nodes, groups = metric_table.groups(lab_samples.lab(4, gpus=1))
    assert nodes == ["node04", "node01", "node02", "node03"]
    row = next(row for row in groups[0].rows if row.id == metric_catalogue.TOKENS_PER_S)
    assert [mark is not None for mark in row.marks] == [True, False, False, False]


def test_percentiles_stand_beside_the_mean_on_the_page_only() -> None:
    records = lab_samples.lab(1, gpus=1)
    _, groups = metric_table.groups(records)
    (experience,) = [group for group in groups if group.title == metric_catalogue.EXPERIENCE]
    labels = [row.label for row in experience.rows]
    assert labels[:4] == [
        f"Response, one at a time, {name}" for name in ("mean", "p50", "p95", "p99")
    ]
    assert [row.cells for row in experience.rows[2:4]] == [["5.2"], ["7.9"]]
    in_table = [row.id for row in metric_table.table(records).rows]
    assert in_table.count("inference.response_ms.c1") == 1


def test_every_metric_that_is_due_is_named_also_where_nobody_measured_it() -> None:
    groups = metric_overview.groups({"node01": record_of("node01", speed(100.0))})
    rows = {row.label: row for group in groups for row in group.rows}
    due = [measure for measure in metric_catalogue.MEASURES if measure.due]
    assert len(due) >= 20
    for measure in due:
        told = next(row for label, row in rows.items() if label.startswith(measure.label))
        assert (told.nodes, told.dots) == (0, [])
        wanted = "no survey" if measure.id == metric_catalogue.SATISFACTION else "not measured"
        assert told.median == wanted
    assert {group.title for group in groups} >= set(metric_catalogue.GROUPS[:5])


def test_no_survey_is_told_as_one() -> None:
    record = record_of("node01", lab_samples.metric("user.satisfaction", None, ""))
    assert row_of({"node01": record}, "user.satisfaction").cells == ["no survey"]


def test_a_lab_that_measured_nothing_has_no_overview() -> None:
    assert (
        metric_overview.groups({"head01": samples.record("head01", groups=("controllers",))}) == []
    )


def test_the_overview_names_the_ends() -> None:
    records = {
        f"node{n:02}": record_of(f"node{n:02}", speed(v)) for n, v in enumerate([90, 100, 140])
    }
    row = metric_overview.groups(records)[0].rows
    told = next(each for each in row if each.label == "Training tokens")
    assert (told.median, told.low, told.low_node) == ("100", "90", "node00")
    assert (told.high, told.high_node, told.nodes) == ("140", "node02", 3)
    assert [dot.at for dot in told.dots] == [0.0, 20.0, 100.0]


def test_a_strip_does_not_blow_up_what_is_alike() -> None:
    records = {
        f"node{n}": record_of(f"node{n}", speed(v)) for n, v in enumerate([99.9, 100.0, 100.1])
    }
    row = next(r for r in metric_overview.groups(records)[0].rows if r.label == "Training tokens")
    assert all(48 <= dot.at <= 52 for dot in row.dots)


@pytest.mark.parametrize("values", [[-1.0, 1.0], [0.0, 5.0], [-3.0, -2.0], [1e-9, 1e9]])
def test_a_strip_holds_any_numbers(values: list[float]) -> None:
    records = {f"node{n}": record_of(f"node{n}", speed(v)) for n, v in enumerate(values)}
    row = next(r for r in metric_overview.groups(records)[0].rows if r.label == "Training tokens")
    assert all(0 <= dot.at <= 100 for dot in row.dots)


# --- step times -------------------------------------------------------------------------------


def trained(seconds: list[float], **more: Any) -> dict[str, Any]:
    return {"training": {"step_seconds": seconds, **more}}


def test_a_box_is_where_the_quantiles_are() -> None:
    chart = box_plot.chart({"node01": trained([float(n) for n in range(1, 101)])})
    assert chart is not None
    (box,) = chart.boxes
    places = [box.low, box.first, box.middle, box.third, box.high, box.slowest]
    assert all(place is not None for place in places)
    assert places == sorted(places, key=lambda place: place or 0)
    assert (box.median, box.p95, box.worst, box.steps) == ("50.5 s", "95.05 s", "100 s", 100)


def test_warm_up_is_left_out_where_it_was_kept() -> None:
    kept = trained([9.0, 9.0, 1.0, 1.1, 1.2], steps_done=5, warmup_steps=2)
    chart = box_plot.chart({"node01": kept})
    assert chart is not None
    assert chart.boxes[0].worst == "1.2 s"
    assert chart.boxes[0].steps == 3


def test_one_stalled_step_is_told_and_flattens_nothing() -> None:
    steady = [0.1 + 0.001 * (n % 10) for n in range(100)]
    chart = box_plot.chart({"a": trained(steady), "b": trained([*steady, 60.0])})
    assert chart is not None
    calm, stalled = chart.boxes
    assert (calm.beyond, stalled.beyond, stalled.worst) == (False, True, "60 s")
    assert calm.first is not None
    assert calm.third is not None
    assert calm.third - calm.first > 20


def test_without_single_steps_the_summary_is_drawn() -> None:
    chart = box_plot.chart({"node01": {"training": {"step_s": {"median": 0.08, "p95": 0.09}}}})
    assert chart is not None
    (box,) = chart.boxes
    assert (box.first, box.slowest, box.steps) == (None, None, None)
    assert (box.median, box.p95, box.worst) == ("80 ms", "90 ms", formatting.NOTHING)
    assert 0 <= box.middle < box.high <= 100


@pytest.mark.parametrize(
    "result",
    [None, {}, {"training": None}, trained([]), trained([1.0]), {"training": {"step_s": {}}}],
)
def test_no_times_no_chart(result: dict[str, Any] | None) -> None:
    assert box_plot.chart({"node01": result}) is None


@pytest.mark.parametrize("seconds", [[1.0, 1.0, 1.0], [0.0, 0.0], [1e-6, 1e6]])
def test_odd_times_stay_on_the_strip(seconds: list[float]) -> None:
    chart = box_plot.chart({"node01": trained(seconds)})
    assert chart is not None
    assert 0 <= chart.boxes[0].middle <= chart.boxes[0].high <= 100


# --- heat maps --------------------------------------------------------------------------------


def pair(peer: str, value: float | None, metric: str = "pair.bandwidth") -> dict[str, Any]:
    return lab_samples.metric(metric, value, "Gb/s", f"peer:{peer}")


def test_a_direction_is_a_cell_and_what_was_not_measured_has_no_shade() -> None:
    first, second = record_of("a"), record_of("b")
    add_stage(first, PAIRS, [], [pair("b", 9.4), pair("c", None)])
    add_stage(second, PAIRS, [], [pair("a", 2.35)])
    chart = heatmap.bandwidth({"a": first, "b": second})
    assert chart is not None
    assert chart.nodes == ["a", "b", "c"]
    texts = [[cell.text for cell in row] for row in chart.rows]
    assert texts == [
        ["", "9.4", formatting.NOTHING],
        ["2.35", "", formatting.NOTHING],
        [formatting.NOTHING, formatting.NOTHING, ""],
    ]
    assert [cell.shade for cell in chart.rows[0]] == [None, heatmap.SHADES - 1, None]
    assert chart.rows[1][0].shade == 1
    assert (chart.measured, chart.possible) == (2, 6)
    assert chart.worst == "lowest 2.35 from b to a"
    assert heatmap.round_trip({"a": first, "b": second}) is None


def test_the_lame_pair_is_marked_in_its_direction_alone() -> None:
    records = lab_samples.lab(4, gpus=1)
    chart = heatmap.bandwidth(records)
    assert chart is not None
    bad = {
        (a, b)
        for a, row in zip(chart.nodes, chart.rows, strict=True)
        for b, cell in zip(chart.nodes, row, strict=True)
        if cell.bad
    }
    assert bad == {("node04", "node01")}
    slow = heatmap.round_trip(records)
    assert slow is not None
    assert not any(cell.bad for row in slow.rows for cell in row)
    assert slow.worst.startswith("longest ")


def test_a_check_without_direction_marks_both() -> None:
    record = record_of("a")
    evidence = "slow between these two only, both ways: a and b: 0.9 Gb/s; a to c: 9 Gb/s; and z"
    bad = samples.finding("pair.bandwidth", status="fail", evidence=evidence)
    add_stage(record, PAIRS, [bad], [pair("b", 0.9), pair("c", 9.0)])
    chart = heatmap.bandwidth({"a": record})
    assert chart is not None
    marked = [[cell.bad for cell in row] for row in chart.rows]
    assert marked == [[False, True, True], [True, False, False], [False, False, False]]


def test_pairs_that_all_failed_to_be_measured_are_still_shown() -> None:
    record = record_of("a")
    add_stage(record, PAIRS, [], [pair("b", None)])
    chart = heatmap.bandwidth({"a": record})
    assert chart is not None
    assert (chart.measured, chart.worst, chart.high) == (0, "", formatting.NOTHING)


# --- history ----------------------------------------------------------------------------------


def test_history_is_the_last_runs_and_the_speed_from_zero() -> None:
    runs = [
        {"run_id": f"r{n}", "at": "", "verdict": "pass", "metrics": {"train.tokens_per_s": 100.0}}
        for n in range(30)
    ]
    runs[-1]["metrics"] = {"train.tokens_per_s": 50.0}
    (row,) = timeline.rows({"node01": runs, "node02": []})
    assert [run.run_id for run in row.runs] == [f"r{n}" for n in range(10, 30)]
    heights = [float(point.split(",")[1]) for point in row.points.split()]
    # The foot of the box, at 24, is zero: half the speed is half as high.
    assert 24 - heights[-1] == pytest.approx((24 - heights[0]) / 2, abs=0.1)
    assert (row.tokens, row.change) == ("50", "-50.0 %")


@pytest.mark.parametrize("metrics", [None, {}, {"train.tokens_per_s": None}])
def test_runs_that_did_not_train_have_no_line(metrics: dict[str, float] | None) -> None:
    runs = [{"run_id": "r", "at": "", "verdict": "unknown", "metrics": metrics}] * 3
    (row,) = timeline.rows({"node01": runs})
    assert (row.points, row.tokens, row.change) == ("", formatting.NOTHING, "")


# --- loss -------------------------------------------------------------------------------------


def test_of_many_lines_the_suspects_and_the_worst_ends_have_a_colour() -> None:
    series = {f"node{n:02}": [4.0, n / 100] for n in range(50)}
    chart = line_chart.chart(series, suspects={"node03"})
    assert chart is not None
    loud = {line.name for line in chart.lines if not line.quiet}
    assert loud == {"node03", "node45", "node46", "node47", "node48", "node49"}


def test_a_long_line_is_thinned_and_keeps_its_spike() -> None:
    values = [1.0] * 10_000
    values[6789] = 50.0
    chart = line_chart.chart({"node01": list(values)})
    assert chart is not None
    points = [tuple(map(float, p.split(","))) for p in chart.lines[0].points.split()]
    assert len(points) <= 200
    assert min(y for _, y in points) < next(t.at for t in chart.up if t.label == "40")
    assert (points[0][0], points[-1][0]) == (chart.left, chart.right)


# --- checks -----------------------------------------------------------------------------------


def test_what_passed_on_eight_gpus_is_one_row_and_what_did_not_is_its_own() -> None:
    checks = [
        samples.finding("gpu.temperature", part=lab_samples.gpu_part("n", gpu), observed=40 + gpu)
        for gpu in range(7)
    ]
    hot = samples.finding(
        "gpu.temperature", part=lab_samples.gpu_part("n", 7), observed=91, status="warn"
    )
    bad, good = all_findings.rows([hot, *checks])
    assert (bad.status, bad.observed) == ("warn", "91")
    assert "slot 8" in bad.part
    assert (good.part, good.observed) == ("7 x GPU", "40 … 46")


def test_values_in_words_are_listed_and_cut() -> None:
    same = [samples.finding("gpu.name", observed=name) for name in ("a", "b", "a", "c", "d")]
    (row,) = all_findings.rows(same)
    assert row.observed == "a, b, c, …"


def test_what_was_not_read_is_not_a_dash() -> None:
    (row,) = all_findings.rows([samples.finding(status="unknown", observed=None)])
    assert row.observed == "not read"
