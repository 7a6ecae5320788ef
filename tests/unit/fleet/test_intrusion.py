"""An opened chassis stays a failure until somebody has looked, even where the BMC forgets it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fleet_samples as samples
import pytest
from history_lab import Lab, checks_of, node

SENSOR = {"kind": "sensor", "name": "Chassis Intru"}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def seen(
    status: str, acknowledged: str = "", told: str = "General Chassis intrusion"
) -> dict[str, Any]:
    expected = f"none after {acknowledged}" if acknowledged else "none"
    return samples.finding(
        "bmc.intrusion", part=SENSOR, status=status, expected=expected, evidence=told
    )


def later(lab: Lab, check: dict[str, Any]) -> list[tuple[str, str]]:
    folder = lab.run(node("node01", checks=[check]))
    return [(one["stage"], one["status"]) for one in checks_of(folder, "node01", "bmc.intrusion")]


def test_what_the_bmc_forgot_is_remembered_until_it_is_acknowledged(lab: Lab) -> None:
    quiet = ("verify", "pass")
    assert later(lab, seen("pass")) == [quiet]
    assert later(lab, seen("fail")) == [("verify", "fail")]
    # Its log was cleared and its sensor reset, and nobody said why.
    assert later(lab, seen("pass")) == [quiet, ("fleet", "fail")]
    folder = lab.run(node("node01", checks=[seen("pass")]))
    (_, reminder) = checks_of(folder, "node01", "bmc.intrusion")
    assert "the run of 2026-11-01T02:00:00Z saw: General Chassis intrusion" in reminder["evidence"]
    # A reminder is no new opening: to acknowledge the opening itself is enough.
    assert later(lab, seen("pass", "2026-11-01T02:30:00Z")) == [quiet]
    assert later(lab, seen("fail", "2026-11-01T02:30:00Z")) == [("verify", "fail")]
    assert later(lab, seen("pass", "2026-11-01T02:30:00Z")) == [quiet, ("fleet", "fail")]


def test_what_could_not_be_read_hides_no_opening(lab: Lab) -> None:
    later(lab, seen("fail"))
    assert later(lab, seen("unknown")) == [("verify", "unknown"), ("fleet", "fail")]


def test_another_node_is_not_reminded(lab: Lab) -> None:
    lab.run(node("node01", checks=[seen("fail")]), node("node02", checks=[seen("pass")]))
    folder = lab.run(node("node01", checks=[seen("pass")]), node("node02", checks=[seen("pass")]))
    assert len(checks_of(folder, "node01", "bmc.intrusion")) == 2
    assert len(checks_of(folder, "node02", "bmc.intrusion")) == 1
