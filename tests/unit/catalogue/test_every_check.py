"""Every check is declared whole, and shows that it can pass, fail and not know."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from cases_benchmark import CASES as BENCHMARK
from cases_ddp import CASES as DDP
from cases_fleet import CASES as FLEET
from cases_pairs import CASES as PAIRS
from cases_run import CASES as RUN
from check_case import Case, Fixture
from checks_page import CHECKS, STAGES, SUBJECTS, page

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.finding import Check
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.hardware.catalogue import (
    ALL_CHECKS,
)

# The checks of the hardware have cases of their own, in tests/unit/hardware.
CASES: dict[str, Case] = {**BENCHMARK, **DDP, **PAIRS, **FLEET, **RUN}
FIXTURES: list[tuple[str, str, Fixture]] = [
    (check, answer, fixture)
    for check, case in CASES.items()
    for answer, fixture in vars(case).items()
    if not isinstance(fixture, str)
]


def declared_as(finding: dict[str, Any]) -> str:
    """Return the id by which a finding is declared, or ""."""
    for name in CHECKS:
        pattern = re.sub(r"<\w+>", r"\\w+", re.escape(name))
        if re.fullmatch(pattern, finding["id"]):
            return name
    return ""


def test_every_check_has_a_case_and_every_case_a_check() -> None:
    assert set(CASES) == set(CHECKS) - {check.id for check in ALL_CHECKS}
    assert len(CASES) == len(BENCHMARK) + len(DDP) + len(PAIRS) + len(FLEET) + len(RUN)


def test_no_two_checks_have_one_name() -> None:
    assert len(CHECKS) == sum(len(checks) for _, _, checks in STAGES)


@pytest.mark.parametrize("check", CHECKS.values(), ids=lambda check: check.id)
def test_every_check_says_what_it_judges_and_where_its_threshold_comes_from(check: Check) -> None:
    for field in ("title", "source", "threshold", "threshold_source", "action"):
        assert getattr(check, field).strip(), field
    assert check.severity in ("fail", "warn")


@pytest.mark.parametrize("check", CASES)
def test_a_check_that_never_gives_an_answer_says_why(check: str) -> None:
    for reason in vars(CASES[check]).values():
        assert not isinstance(reason, str) or len(reason) > 20
    assert any(check == name for name, _, _ in FIXTURES), "it never gives any answer"


@pytest.mark.parametrize(("check", "answer", "fixture"), FIXTURES)
def test_the_answer_of_each_fixture(
    check: str, answer: str, fixture: Fixture, tmp_path: Path
) -> None:
    findings = fixture(tmp_path)
    own = [finding for finding in findings if declared_as(finding) == check]
    statuses = {finding["status"] for finding in own}
    wanted = {"passes": "pass", "fails": CHECKS[check].severity, "unknown": "unknown"}[answer]
    assert wanted in statuses
    assert statuses <= {"pass", wanted}
    assert {finding["severity"] for finding in own} == {CHECKS[check].severity}
    # Nothing that is found on the way goes undeclared, or leaves a person without a next step.
    for finding in findings:
        assert declared_as(finding), finding["id"]
        assert bool(finding["action"]) == (finding["status"] != "pass"), finding["id"]


def test_every_subject_is_answered_by_checks_that_there_are() -> None:
    assert len(SUBJECTS) == 35
    for subject, checks in SUBJECTS:
        assert checks, subject
        assert set(checks) <= set(CHECKS), subject


def test_every_check_has_a_row_on_the_page() -> None:
    text = page()
    for check in CHECKS.values():
        assert text.count(f"\n| `{check.id}` |") == 1, check.id
