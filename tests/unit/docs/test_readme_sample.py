"""README's sample of the report: the command writes it, and it is of today's format."""

from __future__ import annotations

import re
from pathlib import Path

import fleet_samples as samples
import lab_samples
import pytest
import readme_sample
from references import ROOT

from ansible_collections.gpulab.core.plugins.plugin_utils import formatting
from ansible_collections.gpulab.core.plugins.plugin_utils.records import paths, records
from ansible_collections.gpulab.core.plugins.plugin_utils.report import report

# What a node of the sandbox measures; it has no GPU.
MEASURED: dict[str, tuple[float | None, str]] = {
    "train.epoch_s": (1.6, "s"),
    "train.tokens_per_s": (39854.0, "1/s"),
    "train.step_s": (0.0098, "s"),
    "inference.requests_per_s.c1": (135.6, "1/s"),
    "inference.requests_per_s.c8": (691.1, "1/s"),
    "gpu.utilization_train": (None, "%"),
    "gpu.utilization_inference": (None, "%"),
    "accuracy.precision": (1.0, ""),
    "accuracy.recall": (1.0, ""),
    "accuracy.f1": (1.0, ""),
    "accuracy.pass_at_1": (1.0, ""),
    "accuracy.token": (1.0, ""),
    "disk.read": (777.0, "MB/s"),
}


@pytest.fixture
def sandbox_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run of the sandbox in which all is well."""
    monkeypatch.setenv(paths.STATE_VARIABLE, str(tmp_path / "state"))
    folder = tmp_path / "reports" / samples.LAB / samples.RUN_ID
    folder.mkdir(parents=True)
    metrics = [
        lab_samples.metric(name, value, unit, "cpu") for name, (value, unit) in MEASURED.items()
    ]
    found: dict[str, records.Record] = {
        name: samples.record(name, trained=samples.benchmark(metrics=metrics))
        for name in ("node01", "node02")
    }
    for name, group in (("edge01", "edge"), ("head01", "controllers")):
        found[name] = samples.record(name, groups=(group,))
    lab_samples.save(folder, found)
    report.write(folder, [], "sandbox", max_age_h=1e6)
    return folder


def shape(text: str) -> list[str]:
    """Return a report's lines with the numbers, and the width of the columns, left out."""
    text = re.sub(r"\d{8}T\d{6}Z", "RUN", text)
    text = re.sub(r"(?<=reports/)[a-z]+-[0-9a-f]{6}(?=/)", "LAB", text)
    text = re.sub(r"(?<=\s)\d[\d,.]*(?=\s)", "0", text)
    return [re.sub(r"(?<=\S) {2,}", "  ", line) for line in text.splitlines()]


def test_readme_shows_todays_format(sandbox_run: Path) -> None:
    """Where this fails, the format has changed: make lab, then make readme-sample."""
    shown = readme_sample.shown((ROOT / "README.md").read_text(encoding="utf-8"))
    assert shape(shown) == shape(readme_sample.sample(sandbox_run))


def test_the_sample_is_what_the_run_printed(sandbox_run: Path) -> None:
    told = readme_sample.sample(sandbox_run).splitlines()
    assert told[0] == "PASS     lab sandbox, 4 nodes: 4 pass"
    assert told[-1] == f"Report: reports/{samples.LAB}/{samples.RUN_ID}/index.html"
    assert any(line.startswith("  train.tokens_per_s [1/s]") for line in told)


def test_another_format_would_be_seen(sandbox_run: Path) -> None:
    today = readme_sample.sample(sandbox_run)
    assert shape(today.replace("39,854", "1")) == shape(today)
    for change in (
        ("Metrics", "Numbers"),
        (formatting.NOTHING, "none"),
        ("  accuracy.f1", "  accuracy.f2"),
    ):
        assert shape(today.replace(*change)) != shape(today), change


def test_it_is_put_between_the_markers() -> None:
    page = f"above\n{readme_sample.BEGIN}old\n{readme_sample.END}below\n"
    written = readme_sample.replace(page, "PASS\n")
    assert readme_sample.shown(written) == "PASS\n"
    assert readme_sample.replace(written, "PASS\n") == written
    assert written.startswith("above\n")
    assert written.endswith("below\n")


@pytest.mark.parametrize("page", ["no markers", readme_sample.BEGIN, readme_sample.END * 2])
def test_a_page_without_its_markers_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="once"):
        readme_sample.replace(page, "PASS\n")


@pytest.mark.parametrize("left", [{}, {"lab.json": "{"}])
def test_without_a_run_it_says_so(
    tmp_path: Path,
    left: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, text in left.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr("sys.argv", ["readme_sample.py", str(tmp_path if left else tmp_path / "x")])
    assert readme_sample.main() == 2
    assert "make lab first" in capsys.readouterr().err
