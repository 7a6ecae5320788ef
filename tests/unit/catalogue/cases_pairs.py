"""Cases of the checks between nodes: measurements of a small lab."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from typing import Any

from check_case import Case, Findings, Fixture
from pairs_samples import LINE_GBPS, Measured, everybody, lab, measured, not_run

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.pairs.judge import judge
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.pairs.observe import Limits

# What is measured where c meets only a and b, and all others are fine with each other.
_C_MEETS_A_AND_B = [
    pair for pair in combinations("abcde", 2) if set(pair) not in ({*"cd"}, {*"ce"})
]


def of(node: str, names: str, measurements: Iterable[Measured]) -> Fixture:
    """Judge what was measured, and take one node's findings."""
    tests = list(measurements)

    def judged(_: Path) -> Findings:
        due = [(test["client"], test["server"]) for test in tests]
        nodes = judge(lab(names), due, tests, zone="fabric", limits=Limits(), hardware={})
        return nodes[node]["findings"]

    return judged


def case(what: str, good: float, bad: float) -> Case:
    """All is well; b is at fault; c met only a and b, which are at fault with everybody."""

    def found(faulty: str) -> dict[str, Any]:
        return {what: lambda one, other: bad if {one, other} & set(faulty) else good}

    return Case(
        of("a", "abcd", everybody("abcd", **found(""))),
        of("b", "abcd", everybody("abcd", **found("b"))),
        of("c", "abcde", [measured(*pair, **found("ab")) for pair in _C_MEETS_A_AND_B]),
    )


CASES = {
    "pair.measured": Case(
        of("a", "abcd", everybody("abcd")),
        "a test that did not run shows no fault: it is unknown",
        of("b", "abc", [not_run("a", "b"), measured("a", "c"), not_run("b", "c")]),
    ),
    "pair.bandwidth": case("rate", LINE_GBPS, 1.0),
    "pair.loss": case("lost", 0, 0.5),
    "pair.round_trip": case("ms", 0.1, 1.01),
}
