"""Writes the sample labs' reports: a small one with faults, one of fifty nodes, and odd ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fleet_samples as samples
import lab_samples

from ansible_collections.gpulab.core.plugins.plugin_utils.records import records
from ansible_collections.gpulab.core.plugins.plugin_utils.report import page, report

SMALL = "4-nodes"
LARGE = "50-nodes"
WELL = "all-well"
BARE = "verify-only"
EMPTY = "no-node"
HOSTILE = "hostile"

# Whatever a node says; none of it may become markup, a request or a wider page.
EVIL = "<script>fetch('http://example.invalid/x')</script><img src=http://example.invalid/y>\"'&"
LONG = "0123456789abcdef" * 20


def write(root: Path) -> dict[str, Path]:
    """Write the report of each sample lab below ``root`` and return the pages by name."""
    labs = {
        SMALL: lab_samples.lab(4),
        LARGE: lab_samples.lab(50),
        WELL: lab_samples.lab(2),
        BARE: {"head01": samples.record("head01", groups=("controllers",))},
        EMPTY: {},
        HOSTILE: hostile(),
    }
    return {name: _write(root / name / samples.RUN_ID, name, found) for name, found in labs.items()}


def _write(folder: Path, name: str, found: Mapping[str, records.Record]) -> Path:
    """Write all files of a report, then the page once more with what the history adds."""
    folder.mkdir(parents=True)
    lab_samples.save(folder, dict(found))
    expected = [{"name": "node99", "groups": ["compute"]}] if name in (SMALL, LARGE) else []
    title = EVIL if name == HOSTILE else "basement"
    summary = report.write(folder, expected, title).summary
    past = lab_samples.history(sorted(found)) if name in (SMALL, LARGE) else {}
    if name == HOSTILE:
        past = {EVIL: [{"run_id": EVIL, "at": EVIL, "verdict": "fail", "metrics": {}}]}
    if past:
        for node in summary["nodes"]:
            _admit(node)
    file = folder / report.PAGE
    file.write_text(page.render({**summary, "history": past}, found), encoding="utf-8")
    return file


def _admit(node: dict[str, Any]) -> None:
    good = node["verdict"] in report.GOOD
    node["state"] = "in_service" if good else "quarantined"
    node["state_since"] = "2026-11-23T17:20:00Z"
    node["state_reason"] = "" if good else node["reason"]


def hostile() -> dict[str, records.Record]:
    """Return a lab whose nodes say the worst, at length."""
    part = {"kind": "gpu", **dict.fromkeys(("name", "serial", "bdf", "slot", "port"), EVIL + LONG)}
    bad = samples.finding(
        EVIL,
        part=part,
        observed=[EVIL, LONG],
        expected={EVIL: LONG},
        unit=EVIL,
        source=LONG,
        status="fail",
        action=EVIL + LONG,
        evidence=LONG + EVIL,
    )
    metrics = [
        lab_samples.metric(EVIL + LONG, 1.0, EVIL),
        lab_samples.metric("train.tokens_per_s", 1e300, EVIL, LONG),
    ]
    trained = samples.benchmark(metrics=metrics)
    trained["result"]["preset"] = EVIL + LONG
    record = samples.record("node01", checks=[bad], trained=trained, rack=LONG, serial=EVIL)
    pairs = [lab_samples.metric("pair.bandwidth", 9.4, EVIL, f"peer:{EVIL}{LONG}")]
    records.add_stage(record, records.PAIRS, [samples.finding(EVIL)], pairs)
    odd = samples.finding("train.tokens_per_s", status="warn", evidence=EVIL + LONG)
    records.add_stage(record, records.FLEET, [odd])
    return {"node01": record}
