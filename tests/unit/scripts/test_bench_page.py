"""The page of `make bench`: what is held against which limit, and what is told of it."""

from __future__ import annotations

import pytest
from bench_page import Growth, GrowthRow, Reading, Row, missed, render


def readings(*walls: float, cpu_s: float = 1) -> list[Reading]:
    return [Reading(wall, cpu_s) for wall in walls]


@pytest.mark.parametrize(
    ("row", "met"),
    [
        (Row("a", "c", readings(9)), True),
        (Row("a", "c", readings(5, 90, 6), limit_s=6), True),
        (Row("a", "c", readings(5, 90, 7), limit_s=6), False),
        (Row("a", "c", readings(5, cpu_s=31.5), limit_cpu_s=31.5), True),
        (Row("a", "c", readings(5, cpu_s=31.6), limit_cpu_s=31.5), False),
        # As fast as is wanted, by the median of the pairs.
        (Row("a", "c", readings(10, 10, 10), slower=readings(20, 19, 90), at_least=2), True),
        (Row("a", "c", readings(10, 10, 10), slower=readings(19, 19, 90), at_least=2), False),
        # One limit of two.
        (Row("a", "c", readings(5, cpu_s=9), limit_s=5, limit_cpu_s=8), False),
        (Row("a", "c", readings(9, cpu_s=8), limit_s=5, limit_cpu_s=8), False),
    ],
)
def test_a_row_is_held_against_each_limit(row: Row, met: bool) -> None:
    assert missed([row], None) == ([] if met else ["a"])
    assert ("**missed**" in render([row], None)) is not met


@pytest.mark.parametrize(("cpu_s", "met"), [(21.9, True), (22.0, False), (40.0, False)])
def test_a_stage_is_held_against_twice_the_nodes_by_its_cpu_seconds(
    cpu_s: float, met: bool
) -> None:
    row = GrowthRow("network", "nothing to change", Reading(50, 10), Reading(9, cpu_s))
    growth = Growth(100, [row])
    assert missed([], growth) == ([] if met else ["nothing to change: network"])
    page = render([], growth)
    assert ("**missed**" in page) is not met
    assert f"| network | nothing to change | 50.0 | 10.0 | 9.0 | {cpu_s:.1f} |" in page
    assert "| 100 nodes | CPU | 200 nodes | CPU |" in page


def test_the_simulation_is_called_one() -> None:
    page = render([], Growth(100, []))
    assert "simulated" in page
    assert "**no real nodes**" in page


def test_what_was_not_measured_is_told() -> None:
    assert "- no mitogen here" in render([], None, ["no mitogen here"])
    assert "simulated" not in render([], None)


def test_the_row_says_how_many_times_as_fast_it_is() -> None:
    row = Row(
        "site", "make site", readings(10, 10), slower=readings(25, 27), at_least=2, than="stock"
    )
    line = render([row], None).splitlines()[-1]
    assert line == (
        "| site (2.6 times as fast as stock) | `make site` | 10.0 | 10.0, 10.0 | 1.0 "
        "| ≥ 2 times stock |"
    )
