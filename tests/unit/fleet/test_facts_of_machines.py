"""A whole report of facts that the probes really give: samples by hand may have another shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fleet_samples as samples
import pytest
from gathered_machines import ALL

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.peers import uniformity
from ansible_collections.gpulab.core.plugins.plugin_utils.records import parts
from ansible_collections.gpulab.core.plugins.plugin_utils.report import report


@pytest.mark.parametrize("name", ALL)
def test_every_machine_can_be_reported(
    name: str, gathered: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    folder = tmp_path / samples.RUN_ID
    folder.mkdir()
    for node in ("node01", "node02"):
        record = {**samples.record(node, spec="gpu-node"), "hardware": gathered[name]}
        (folder / f"{node}.json").write_text(json.dumps(record))
    written = report.write(folder, [], "lab")
    assert [node["name"] for node in written.summary["nodes"]] == ["node01", "node02"]
    assert not written.summary["notices"]
    # A record that does not fit its schema would be told instead of read.
    assert "run.record" not in json.dumps(written.summary)


def test_memory_modules_are_parts_and_are_compared(gathered: dict[str, dict[str, Any]]) -> None:
    facts = gathered["server"]
    record = {**samples.record("node01", spec="gpu-node"), "hardware": facts}
    modules = [part for part in parts.of(record) if part.kind == "dimm"]
    assert len(modules) == 16
    assert all(part.serial and part.slot and part.name for part in modules)
    fewer = json.loads(json.dumps(facts))
    fewer["dimms"]["slots"][2]["installed"] = False
    other = {**record, "hardware": fewer}
    judged = uniformity.judge({"node01": record, "node02": record, "node03": other})
    odd = [finding for finding in judged["node03"] if finding["status"] != "pass"]
    assert [finding["id"] for finding in odd] == ["uniform.dimms"]
    assert "16 x" in str(odd[0])
    assert "15 x" in str(odd[0])
