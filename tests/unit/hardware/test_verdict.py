"""Every combination of statuses and severities, and of verdicts."""

from __future__ import annotations

from itertools import chain, combinations

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.verdict import (
    SEVERITIES,
    STATUSES,
    verdict_of,
    worst,
)

KINDS = [(status, severity) for status in STATUSES for severity in SEVERITIES]


def subsets(items: list) -> list[tuple]:
    return list(chain.from_iterable(combinations(items, n) for n in range(1, len(items) + 1)))


def expected(kinds: tuple[tuple[str, str], ...]) -> str:
    """The contract's rule, word by word."""
    if any(status == "fail" for status, _ in kinds):
        return "fail"
    if ("unknown", "fail") in kinds:
        return "unknown"
    if any(status == "warn" for status, _ in kinds) or ("unknown", "warn") in kinds:
        return "warn"
    return "pass"


@pytest.mark.parametrize("kinds", subsets(KINDS))
def test_verdict_of_every_combination(kinds: tuple[tuple[str, str], ...]) -> None:
    findings = [{"id": "x", "status": status, "severity": severity} for status, severity in kinds]
    assert verdict_of(findings) == expected(kinds)
    assert verdict_of(reversed(findings)) == expected(kinds)


def test_nothing_found_is_unknown() -> None:
    assert verdict_of([]) == "unknown"
    assert worst([]) == "unknown"


@pytest.mark.parametrize(
    "finding",
    [
        {"id": "x", "status": "ok", "severity": "fail"},
        {"id": "x", "status": "unknown", "severity": "low"},
        {"id": "x", "status": "pass"},
        {"id": "x", "severity": "fail"},
    ],
)
def test_a_strange_word_is_refused(finding: dict) -> None:
    with pytest.raises(ValueError, match="finding x: s"):
        verdict_of([finding])


@pytest.mark.parametrize("verdicts", subsets(["fail", "unknown", "warn", "pass"]))
def test_worst_is_the_first_in_order(verdicts: tuple[str, ...]) -> None:
    # subsets() keeps the order fail > unknown > warn > pass.
    assert worst(verdicts) == verdicts[0]
    assert worst(reversed(verdicts)) == verdicts[0]


def test_worst_refuses_a_strange_verdict() -> None:
    with pytest.raises(ValueError, match="skipped"):
        worst(["pass", "skipped"])
