"""Who is in service: a failure takes a node out, only a whole and fresh record brings it in."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fleet_samples as samples
import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.admission import (
    admission,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.admission import (
    table as admission_table,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.admission.admission import (
    IN_SERVICE,
    QUARANTINED,
    UNVERIFIED,
    Entry,
    Evidence,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.records import records, runs, schema
from ansible_collections.gpulab.core.plugins.plugin_utils.report import report

WEEK = 168.0


def at(hour: int, day: int = 1) -> str:
    return f"2026-11-{day:02}T{hour:02}:00:00Z"


def seen(verdict: str, hour: int, **changes: Any) -> Evidence:
    """A whole record of a compute node that trained in the same hour, unless told otherwise."""
    when = at(hour)
    base = Evidence(f"run{hour}", when, verdict, verdict, f"is {verdict}", when, when, {})
    return base._replace(**changes)


# What a run of one node alone says, and one that measured its links.
ALONE = {"verify": "pass", "benchmark": "pass"}
LINKS_FAIL, LINKS_UNKNOWN, LINKS_PASS = (
    {**ALONE, "pairs": verdict} for verdict in ("fail", "unknown", "pass")
)
PARTLY = {"checks": "pass", "reason": "run.missing: benchmark", "trained_at": ""}


def after(*steps: Evidence, now: str = at(23), max_age_h: float = WEEK) -> Entry:
    entry = None
    for step in steps:
        entry = admission.decide(entry, step, max_age_h, now)
    assert entry is not None
    schema.check(
        {"schema": 1, "policy": {"max_age_h": max_age_h}, "nodes": {"n": entry}}, "admission"
    )
    return entry


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ([seen("pass", 1)], IN_SERVICE),
        ([seen("warn", 1)], IN_SERVICE),
        ([seen("unknown", 1)], UNVERIFIED),
        ([seen("fail", 1)], QUARANTINED),
        # Only verified: neither for nor against it.
        ([seen("unknown", 1, **PARTLY)], UNVERIFIED),
        ([seen("pass", 1), seen("unknown", 2, **PARTLY)], IN_SERVICE),
        ([seen("fail", 1), seen("unknown", 2, **PARTLY)], QUARANTINED),
        # Not in the run at all.
        ([seen("pass", 1), seen("unknown", 2, at="", checks="")], IN_SERVICE),
        ([seen("unknown", 1, at="", checks="")], UNVERIFIED),
        # What could not be read is no pass.
        ([seen("pass", 1), seen("unknown", 2)], UNVERIFIED),
        ([seen("fail", 1), seen("unknown", 2)], QUARANTINED),
        ([seen("pass", 1), seen("unknown", 2), seen("pass", 3)], IN_SERVICE),
        # Out, and back by a whole record.
        ([seen("pass", 1), seen("fail", 2)], QUARANTINED),
        ([seen("fail", 1), seen("pass", 2)], IN_SERVICE),
        # An earlier training stands for a new one, but not for one after a failure.
        ([seen("fail", 2), seen("pass", 3, trained_at=at(1))], QUARANTINED),
        ([seen("fail", 2), seen("pass", 3, trained_at=at(1)), seen("pass", 4)], IN_SERVICE),
        # No compute node: nothing to train.
        ([seen("fail", 1), seen("pass", 2, trained_at="")], IN_SERVICE),
        # A link that failed is not well because no link was measured since.
        ([seen("fail", 1, stages=LINKS_FAIL), seen("pass", 2, stages=ALONE)], QUARANTINED),
        ([seen("unknown", 1, stages=LINKS_UNKNOWN), seen("pass", 2, stages=ALONE)], UNVERIFIED),
        ([seen("fail", 1, stages=LINKS_FAIL), seen("pass", 2, stages=LINKS_PASS)], IN_SERVICE),
        (
            [
                seen("fail", 1, stages=LINKS_FAIL),
                seen("unknown", 2, **PARTLY, stages={"pairs": "pass"}),
                seen("pass", 3, stages=ALONE),
            ],
            IN_SERVICE,
        ),
        # A report of an old run, made again.
        ([seen("fail", 2), seen("pass", 1)], QUARANTINED),
        ([seen("pass", 2), seen("fail", 1)], IN_SERVICE),
    ],
)
def test_what_a_run_decides(steps: list[Evidence], state: str) -> None:
    entry = after(*steps)
    assert entry["state"] == state
    # Making the last report again changes nothing.
    assert after(*steps, steps[-1]) == entry
    assert bool(entry["reason"]) == (state != IN_SERVICE)


def test_since_and_reason() -> None:
    entry = after(seen("pass", 1), seen("fail", 2), seen("fail", 3, reason="another"))
    assert (entry["since"], entry["reason"], entry["run_id"]) == (at(2), "another", "run3")
    entry = after(seen("fail", 1), seen("pass", 2), seen("pass", 3))
    assert (entry["since"], entry["passed_at"], entry["run_id"]) == (at(2), at(3), "run3")


def test_a_quarantine_that_waits_for_a_training_says_so() -> None:
    entry = after(seen("fail", 2), seen("pass", 3, trained_at=at(1)))
    assert "training is older than its quarantine" in entry["reason"]


@pytest.mark.parametrize(("now", "state"), [(at(0, 8), IN_SERVICE), (at(1, 8), UNVERIFIED)])
def test_a_record_that_is_too_old_does_not_count(now: str, state: str) -> None:
    entry = after(seen("pass", 1), now=now)
    assert entry["state"] == state
    assert entry["valid_until"] == (at(1, 8) if state == IN_SERVICE else "")
    if state == UNVERIFIED:
        assert entry["since"] == at(1, 8)
        assert "older than 168 h" in entry["reason"]


def test_the_age_is_that_of_the_training() -> None:
    entry = after(seen("pass", 10, trained_at=at(1)), now=at(23), max_age_h=12)
    assert entry["state"] == UNVERIFIED


def by_hand(entry: Entry | None, hour: int) -> Entry:
    return admission.quarantine(entry, "its fan rattles", "alice", at(hour))


def test_what_a_person_takes_out_no_run_brings_back() -> None:
    entry = by_hand(after(seen("pass", 1)), 2)
    assert (entry["state"], entry["actor"], entry["since"]) == (QUARANTINED, "alice", at(2))
    for step in (seen("pass", 3), seen("fail", 4), seen("pass", 5)):
        entry = admission.decide(entry, step, WEEK, at(23))
        assert (entry["state"], entry["actor"]) == (QUARANTINED, "alice")
        assert entry["reason"] == "its fan rattles"
    entry = admission.release(entry, "fan replaced", "bob", WEEK, at(6))
    assert (entry["state"], entry["actor"], entry["since"]) == (IN_SERVICE, "bob", at(6))


def test_a_signature_replaces_no_record() -> None:
    entry = admission.release(
        after(seen("pass", 1), seen("fail", 2)), "looks fine", "bob", WEEK, at(3)
    )
    assert entry["state"] == UNVERIFIED
    assert "a whole record has to pass" in entry["reason"]
    # The failed run's report, made again, does not take it out again; a new failure does.
    assert admission.decide(entry, seen("fail", 2), WEEK, at(23)) == entry
    assert admission.decide(entry, seen("fail", 4), WEEK, at(23))["state"] == QUARANTINED
    assert admission.decide(entry, seen("pass", 4), WEEK, at(23))["state"] == IN_SERVICE


def test_what_was_not_measured_again_is_told_and_no_signature_replaces_it() -> None:
    entry = after(seen("fail", 1, stages=LINKS_FAIL), seen("pass", 2, stages=ALONE))
    assert entry["reason"] == "its record passes, but pairs did not, and not again since"
    assert admission.release(entry, "new cable", "ann", WEEK, at(3))["state"] == UNVERIFIED


def test_a_node_in_doubt_has_to_prove_itself(state_dir: Path) -> None:
    state_dir.mkdir(parents=True, exist_ok=True)
    entries = {
        "well": after(seen("pass", 1, stages=LINKS_PASS)),
        "bad": after(seen("fail", 1, stages=LINKS_FAIL)),
        "in_doubt": after(seen("unknown", 1, stages=LINKS_UNKNOWN)),
        "by_hand": admission.quarantine(after(seen("pass", 1)), "is loud", "ann", at(2)),
    }
    state = {"schema": 1, "policy": {"max_age_h": WEEK}, "nodes": entries}
    file = state_dir / admission.FILE
    file.write_text(json.dumps(state))
    told = {name: admission.has_to_prove_itself(name, file) for name in (*entries, "new")}
    assert told == {"well": False, "bad": True, "in_doubt": True, "by_hand": False, "new": False}
    file.write_text("{")
    assert admission.has_to_prove_itself("well", file)


def test_a_failure_during_a_quarantine_by_hand_counts() -> None:
    entry = admission.decide(by_hand(after(seen("pass", 1)), 2), seen("fail", 3), WEEK, at(23))
    assert admission.release(entry, "done", "bob", WEEK, at(4))["state"] == UNVERIFIED


def test_a_release_after_too_long_needs_a_record() -> None:
    entry = by_hand(after(seen("pass", 1)), 2)
    assert admission.release(entry, "done", "bob", WEEK, at(1, 20))["state"] == UNVERIFIED


@pytest.mark.parametrize("entry", [None, after(seen("pass", 1))])
def test_what_is_in_no_quarantine_is_not_released(entry: Entry | None) -> None:
    with pytest.raises(admission.AdmissionError, match="not quarantined"):
        admission.release(entry, "why", "bob", WEEK, at(2))


def write(folder: Path, **kinds: Any) -> dict[str, Any]:
    summary = report.write(folder, [{"name": "node01", "groups": ["compute"]}], "lab", **kinds)
    return summary.summary["nodes"][0]


def test_a_report_shows_and_keeps_the_state(run_dir: Path, state_dir: Path) -> None:
    records.save(samples.record("node01"), run_dir)
    node = write(run_dir, max_age_h=24.0)
    assert (node["state"], node["state_reason"]) == (IN_SERVICE, "")
    before = (state_dir / admission.FILE).read_bytes()
    assert json.loads(before)["policy"] == {"max_age_h": 24.0}
    # Neither the policy nor the node's state is lost by a report without the inventory.
    assert write(run_dir) == node
    assert (state_dir / admission.FILE).read_bytes() == before


def test_a_failed_task_is_a_quarantine(run_dir: Path, write_failures: Callable[..., None]) -> None:
    write_failures(samples.failure("node01"))
    node = write(run_dir)
    assert node["state"] == QUARANTINED
    assert node["state_reason"] == "run.failed: base: No space left on device"
    assert node["state_since"] == "2026-11-23T17:15:09Z"


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 1, "nodes": {}}', '{"schema": 2}'])
def test_a_broken_file_is_left_alone_and_nobody_is_in_service(
    run_dir: Path, state_dir: Path, text: str
) -> None:
    state_dir.mkdir(parents=True)
    file = state_dir / admission.FILE
    file.write_text(text)
    records.save(samples.record("node01"), run_dir)
    summary = report.write(run_dir, [], "lab").summary
    assert summary["verdict"] in ("pass", "warn")
    assert summary["nodes"][0]["state"] == UNVERIFIED
    assert any("cannot be used" in notice for notice in summary["notices"])
    assert file.read_text() == text
    with pytest.raises(admission.AdmissionError, match="mend it"):
        admission.read(file)


def test_writers_at_once_lose_nothing(state_dir: Path) -> None:
    file = state_dir / admission.FILE
    names = [f"node{number:02}" for number in range(12)]
    threads = [
        threading.Thread(
            target=admission.by_hand,
            args=(name, "why", "alice", names, file),
            kwargs={"lift": False},
        )
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(admission.read(file)["nodes"]) == names


def test_a_lock_that_is_held_is_told(monkeypatch: pytest.MonkeyPatch, state_dir: Path) -> None:
    monkeypatch.setattr(admission, "_LOCK_S", 0.1)
    file = state_dir / admission.FILE
    with (
        admission._locked(file),
        pytest.raises(admission.AdmissionError, match="locked by another process"),
    ):
        admission.by_hand("node01", "why", "alice", ["node01"], file, lift=False)


def test_an_unknown_node_is_refused(state_dir: Path) -> None:
    with pytest.raises(admission.AdmissionError, match="no node nod1: the inventory has node01"):
        admission.by_hand(
            "nod1", "why", "alice", ["node01"], state_dir / admission.FILE, lift=False
        )


def test_the_table_has_nodes_that_no_run_has_seen(run_dir: Path, state_dir: Path) -> None:
    records.save(samples.record("node01"), run_dir)
    write(run_dir)
    table = admission_table.rows(admission.read(state_dir / admission.FILE), ["node01", "node02"])
    assert {name: row["state"] for name, row in table.items()} == {
        "node01": IN_SERVICE,
        "node02": UNVERIFIED,
    }
    head, first, second = [line.text for line in admission_table.lines(table)]
    assert head.startswith("node    state       since")
    assert first.startswith("node01  in service  2")
    assert second.split("  ")[:2] == ["node02", "unverified"]
    assert second.endswith("no whole record of it has passed yet")


def test_evidence_of_a_run(run_dir: Path, write_failures: Callable[..., None]) -> None:
    records.save(samples.record("node01"), run_dir)
    write_failures(samples.failure("node01", time="2099-01-01T00:00:00Z"))
    told = admission.evidence(
        {"name": "node01", "verdict": "fail", "reason": "r", "stages": ALONE}, runs.read(run_dir)
    )
    assert (told.at, told.checks) == ("2099-01-01T00:00:00Z", "pass")
    assert told.stages == ALONE
