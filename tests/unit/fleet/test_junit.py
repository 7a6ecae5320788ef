"""The JUnit file is red exactly where a node is not accepted, and any reader can parse it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fleet_samples as samples
import lab_samples
import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.records import records, runs
from ansible_collections.gpulab.core.plugins.plugin_utils.report import junit, lab_summary, report

# What the schemas that CI systems publish agree on (Jenkins' junit-10.xsd, Apache Ant's
# JUnit.xsd): element, its required and optional attributes, its children.
SHAPE: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": ({"name", "tests", "failures", "errors"}, {"skipped"}, {"testsuite"}),
    "testsuite": (
        {"name", "hostname", "timestamp", "time", "tests", "failures", "errors"},
        {"skipped"},
        {"testcase"},
    ),
    "testcase": (
        {"name", "classname", "time"},
        set(),
        {"failure", "error", "skipped", "system-out"},
    ),
    "failure": ({"type", "message"}, set(), set()),
    "error": ({"type", "message"}, set(), set()),
    "skipped": ({"type", "message"}, set(), set()),
    "system-out": (set(), set(), set()),
}


def read(folder: Path, *expected: str) -> tuple[dict[str, Any], ET.Element]:
    hosts = [{"name": name, "groups": ["compute"]} for name in expected]
    summary = report.write(folder, hosts, "basement").summary
    root = ET.parse(folder / report.JUNIT).getroot()  # noqa: S314  written by ourselves just now
    assert_shape(root)
    return summary, root


def assert_shape(root: ET.Element) -> None:
    assert root.tag == "testsuites"
    for element in root.iter():
        required, optional, children = SHAPE[element.tag]
        assert required <= set(element.keys()) <= required | optional
        assert {child.tag for child in element} <= children
    for element in (root, *root):
        cases = element.findall(".//testcase")
        assert int(element.get("tests", "")) == len(cases)
        for tag, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert int(element.get(count, "")) == sum(case.find(tag) is not None for case in cases)
    for suite in root:
        names = [(case.get("classname"), case.get("name")) for case in suite]
        assert len(names) == len(set(names))
        # ISO 8601 without a zone, as Ant's schema has it.
        assert len(suite.get("timestamp", "")) == len("2026-11-23T17:15:00")
        assert all(len(case) <= 1 for case in suite)


def suite_of(root: ET.Element, name: str) -> ET.Element:
    return next(suite for suite in root if suite.get("name") == name)


def is_red(suite: ET.Element) -> bool:
    return suite.get("failures") != "0" or suite.get("errors") != "0"


@pytest.mark.parametrize(
    ("status", "severity", "tag"),
    [
        ("pass", "fail", ""),
        ("warn", "warn", "system-out"),
        ("unknown", "warn", "skipped"),
        ("unknown", "fail", "error"),
        ("fail", "fail", "failure"),
    ],
)
def test_each_status_is_what_readers_expect(
    run_dir: Path, status: str, severity: str, tag: str
) -> None:
    check = samples.finding(
        "gpu.ecc", status=status, severity=severity, action="reset it", evidence="3 errors"
    )
    records.save(samples.record("node01", checks=[check]), run_dir)
    summary, root = read(run_dir)
    suite = suite_of(root, "node01")
    case = next(case for case in suite if case.get("name") == "gpu.ecc [CPU]")
    assert [child.tag for child in case] == ([tag] if tag else [])
    assert is_red(suite) == (summary["nodes"][0]["verdict"] not in report.GOOD)
    if tag:
        told = "".join(case.itertext()) + "".join(case[0].attrib.values())
        assert "3 errors" in told
        assert "reset it" in told


def test_a_suite_is_red_exactly_where_the_node_is_not_accepted(
    run_dir: Path, write_failures: Callable[..., None]
) -> None:
    lab_samples.save(run_dir, lab_samples.lab(5, gpus=2))
    (run_dir / "broken.json").write_text("{")
    write_failures(samples.failure("gone", unreachable=True))
    summary, root = read(run_dir, "never")
    verdicts = {node["name"]: node["verdict"] for node in summary["nodes"]}
    assert set(verdicts.values()) == {"pass", "warn", "fail", "unknown"}
    assert {suite.get("name") for suite in root} == set(verdicts)
    for suite in root:
        name = suite.get("name", "")
        assert is_red(suite) == (verdicts[name] not in report.GOOD), name


def test_a_run_that_is_not_whole_is_red_though_every_node_passed(run_dir: Path) -> None:
    records.save(samples.record("node01"), run_dir)
    (run_dir / "failures.json").write_text("{")
    _, root = read(run_dir)
    assert not is_red(suite_of(root, "node01"))
    assert is_red(suite_of(root, "lab"))


def test_a_run_without_nodes_is_red(run_dir: Path) -> None:
    _, root = read(run_dir)
    assert is_red(suite_of(root, "lab"))


def test_a_node_of_which_nothing_was_looked_at_is_red(run_dir: Path) -> None:
    record = samples.record("edge01", groups=("edge",), checks=[])
    records.save(record, run_dir)
    summary, root = read(run_dir)
    assert summary["nodes"][0]["verdict"] == "unknown"
    assert is_red(suite_of(root, "edge01"))


def test_what_xml_cannot_hold_is_replaced(run_dir: Path) -> None:
    evil = "a\x00b\x1b[31mc\x7f]]>&<\"'\ufffe\U0001f525\ttab\nline"
    check = samples.finding(evil, status="fail", evidence=evil, action=evil, source=evil)
    records.save(samples.record("node01", checks=[check]), run_dir)
    _, root = read(run_dir)
    (failure,) = root.iter("failure")
    assert "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}[31mc" in (failure.text or "")
    assert "]]>&<\"'" in (failure.text or "")
    assert "\U0001f525\ttab\nline" in (failure.text or "")


def test_two_findings_of_one_name_are_two_cases(run_dir: Path) -> None:
    same = samples.finding("gpu.ecc")
    records.save(samples.record("node01", checks=[same, same, same]), run_dir)
    _, root = read(run_dir)
    names = [case.get("name") for case in suite_of(root, "node01")]
    assert names[:3] == ["gpu.ecc [CPU]", "gpu.ecc [CPU] #2", "gpu.ecc [CPU] #3"]


def test_the_time_of_a_suite_leaves_out_what_was_not_timed(run_dir: Path) -> None:
    record = samples.record("node01")
    record["durations_s"] = {"verify.cpu": 0.5, "verify.gpu": None, "benchmark.total": 40.0}
    records.save(record, run_dir)
    run = runs.read(run_dir)
    text = junit.render(lab_summary.summarise(run, [], "basement"), run.records)
    assert 'time="0.500"' in text
