"""Prometheus' text format, read as strictly as its own parser does."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import fleet_samples as samples
import lab_samples
import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.records import paths, records
from ansible_collections.gpulab.core.plugins.plugin_utils.report import report

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
_SAMPLE = re.compile(rf"({_NAME})(?:{{((?:{_LABEL})(?:,{_LABEL})*)?}})? (\S+)")


def parse(text: str) -> Series:
    """Read the text format: each family once, HELP and TYPE before its samples, no series twice."""
    assert text.endswith("\n")
    found: Series = {}
    family = ""
    families: list[str] = []
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            family = line.split(" ")[2]
            assert family not in families
            families.append(family)
            assert re.fullmatch(rf"# HELP {_NAME} \S.*", line)
            continue
        if line.startswith("# TYPE "):
            assert line == f"# TYPE {family} gauge"
            continue
        sample = _SAMPLE.fullmatch(line)
        assert sample, line
        name, labels, value = sample.groups()
        assert name == family
        pairs = re.findall(r'([a-zA-Z0-9_]+)="((?:[^"\\]|\\.)*)"', labels or "")
        key = (name, tuple(sorted((label, _plain(quoted)) for label, quoted in pairs)))
        assert len({label for label, _ in pairs}) == len(pairs)
        assert key not in found
        assert math.isfinite(float(value))
        found[key] = float(value)
    return found


def _plain(quoted: str) -> str:
    return re.sub(r"\\(.)", lambda sign: "\n" if sign[1] == "n" else sign[1], quoted)


def read(folder: Path, *expected: str) -> Series:
    report.write(folder, [{"name": name, "groups": ["compute"]} for name in expected], "basement")
    text = (folder / report.PROMETHEUS).read_text(encoding="utf-8")
    promtool = shutil.which("promtool")
    if promtool:
        subprocess.run([promtool, "check", "metrics"], input=text, text=True, check=True)
    return parse(text)


def value(series: Series, name: str, **labels: str) -> float:
    matches = [
        found
        for (family, have), found in series.items()
        if family == name and labels.items() <= dict(have).items()
    ]
    assert len(matches) == 1, (name, labels, len(matches))
    return matches[0]


def test_verdicts_weigh_as_in_the_report(
    run_dir: Path, write_failures: Callable[..., None]
) -> None:
    lab_samples.save(run_dir, lab_samples.lab(5, gpus=2))
    write_failures(samples.failure("gone", unreachable=True))
    series = read(run_dir, "never")
    weights = {
        name: value(series, "gpulab_node_verdict", node=name)
        for name in ("node01", "node02", "node03", "node04", "node05", "gone", "never")
    }
    assert weights == {
        "node01": 0, "node02": 3, "node03": 1, "node04": 0, "node05": 3, "gone": 3, "never": 2,
    }  # fmt: skip
    assert value(series, "gpulab_lab_verdict") == 3
    assert value(series, "gpulab_lab_nodes", verdict="fail") == 3
    for name, weight in weights.items():
        checks = [
            (dict(labels), found)
            for (family, labels), found in series.items()
            if family == "gpulab_check_status" and dict(labels)["node"] == name
        ]
        weighed = [
            1 if found == 2 and labels["severity"] == "warn" else found for labels, found in checks
        ]
        assert max(weighed) == weight


def test_the_numbers_are_the_records(run_dir: Path) -> None:
    found = lab_samples.lab(2, gpus=1)
    lab_samples.save(run_dir, found)
    series = read(run_dir)
    metric = next(m for m in found["node01"]["metrics"] if m["id"] == "inference.response_ms.c1")
    wanted = {"node": "node01", "metric": metric["id"], "unit": "ms"}
    assert value(series, "gpulab_metric", **wanted) == metric["value"]
    assert value(series, "gpulab_metric_quantile", q="0.99", **wanted) == metric["p99"]
    assert value(series, "gpulab_metric", node="node01", metric="memory.gpu_peak") == 61_203_283_968
    # Nobody was asked: no number, above all no zero.
    assert not any(("metric", "user.satisfaction") in labels for _, labels in series)


def test_when_the_node_was_looked_at_is_told(run_dir: Path) -> None:
    record = samples.record("node01")
    record["created"] = "2026-11-23T17:15:00Z"
    records.save(record, run_dir)
    series = read(run_dir)
    assert value(series, "gpulab_node_record_timestamp_seconds", node="node01") == 1795454100
    assert value(series, "gpulab_run_timestamp_seconds") > 1795454100
    assert value(series, "gpulab_run_info", run_id=run_dir.name) == 1


def test_labels_are_escaped_and_series_are_there_once(run_dir: Path) -> None:
    evil = 'a"b\\c\nd{},=\x00é'
    part = {"kind": "gpu", "name": evil, "serial": "", "bdf": "", "slot": ""}
    checks = [
        samples.finding(evil, part=part, status=status, severity="fail", action="act")
        for status in ("pass", "fail", "unknown")
    ]
    metrics = [{"id": evil, "scope": evil, "value": 1.5, "unit": evil}] * 2
    record = samples.record("node01", checks=checks, trained=samples.benchmark(metrics=metrics))
    records.save(record, run_dir)
    series = read(run_dir)
    # Of three findings that read the same, the one that weighs most.
    assert value(series, "gpulab_check_status", check=evil) == 3
    assert value(series, "gpulab_metric", metric=evil, scope=evil, unit=evil) == 1.5


def test_an_empty_run_is_no_success(run_dir: Path) -> None:
    series = read(run_dir)
    assert value(series, "gpulab_lab_verdict") == 2
    assert not any(name == "gpulab_node_verdict" for name, _ in series)


def test_the_collectors_folder_gets_the_same_file(run_dir: Path, tmp_path: Path) -> None:
    records.save(samples.record("node01"), run_dir)
    textfiles = tmp_path / "textfiles"
    textfiles.mkdir()
    report.write(run_dir, [], "basement", textfile_dir=textfiles)
    (file,) = textfiles.iterdir()
    assert file.name == "gpulab.prom"
    assert file.read_text() == (run_dir / report.PROMETHEUS).read_text()
    assert file.stat().st_mode & 0o777 == 0o644


def test_a_collectors_folder_that_is_missing_is_refused_before_anything_is_written(
    run_dir: Path, tmp_path: Path
) -> None:
    records.save(samples.record("node01"), run_dir)
    with pytest.raises(paths.FolderError, match=r"report_textfile_dir is .*missing"):
        report.write(run_dir, [], "basement", textfile_dir=tmp_path / "missing")
    assert [path.name for path in run_dir.iterdir()] == ["node01.json"]


def test_command_takes_the_collectors_folder(run_dir: Path, tmp_path: Path) -> None:
    records.save(samples.record("node01"), run_dir)
    report.write(run_dir, [{"name": "node01"}], "basement")
    assert report.main([str(run_dir), "--textfile-dir", str(tmp_path)]) == 0
    assert (tmp_path / "gpulab.prom").is_file()
