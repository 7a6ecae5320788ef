"""A number among its like: what counts as an outlier depends on how many there are."""

from __future__ import annotations

import math
import statistics
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpulab.core.plugins.plugin_utils.history import baselines
from ansible_collections.gpulab.core.plugins.plugin_utils.history.baselines import (
    HIGHER,
    LOWER,
    judge,
)

# 100 +- 1, as eight GPUs of one kind would be.
EIGHT = [99.0, 99.5, 100.0, 100.5, 101.0, 99.2, 100.8, 100.1]
POSITIVE = st.floats(min_value=0.01, max_value=1e9)


@pytest.mark.parametrize(
    ("value", "samples", "better", "outlier"),
    [
        # Eight: far beyond the spread and 5 % or more.
        (94.0, [*EIGHT, 94.0], HIGHER, True),
        (106.0, [*EIGHT, 106.0], LOWER, True),
        # Far beyond the spread, and still less than 5 %: nobody's repair.
        (96.0, [*EIGHT, 96.0], HIGHER, False),
        # 5 % and more, inside a wide spread.
        (80.0, [80.0, 85.0, 90.0, 95.0, 100.0, 105.0, 110.0, 115.0], HIGHER, False),
        # Better by as much is no fault.
        (120.0, [*EIGHT, 120.0], HIGHER, False),
        (80.0, [*EIGHT, 80.0], LOWER, False),
        # Three to seven: 10 %.
        (89.0, [100.0, 100.0, 89.0], HIGHER, True),
        (91.0, [100.0, 100.0, 91.0], HIGHER, False),
        (111.0, [100.0, 100.0, 111.0], LOWER, True),
        (94.0, [*EIGHT[:6], 94.0], HIGHER, False),
        (89.0, [*EIGHT[:6], 89.0], HIGHER, True),
        # Two: nobody knows which one is wrong.
        (10.0, [100.0, 10.0], HIGHER, False),
        (10.0, [10.0], HIGHER, False),
        (10.0, [], HIGHER, False),
        # Many without any spread: there is no z, so the limit of few holds.
        (94.0, [100.0] * 20, HIGHER, False),
        (89.0, [100.0] * 20, HIGHER, True),
        # More than half equal: the mean deviation stands in for the median one.
        (90.0, [100.0] * 19 + [90.0], HIGHER, True),
        # A median of 0 has no share.
        (1.0, [0.0, 0.0, 0.0, 1.0], LOWER, False),
    ],
)
def test_what_an_outlier_is(value: float, samples: list[float], better: str, outlier: bool) -> None:
    told = judge(value, samples, better)
    assert told.outlier is outlier
    assert told.n == len(samples)
    # Only what is judged by a spread needs a second measurement.
    assert told.confirm == (len(samples) >= 8)


def test_the_z_is_iglewicz_and_hoaglins() -> None:
    """Median 5, absolute deviations 4 3 2 1 0 1 2 3 95, so MAD 2: 0.6745 * 95 / 2."""
    samples = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 100.0]
    z = baselines.modified_z(100.0, samples)
    assert z == pytest.approx(0.6745 * 95 / 2)
    assert baselines.modified_z(5.0, [5.0] * 9) is None


@given(st.lists(POSITIVE, max_size=40), POSITIVE, st.sampled_from([HIGHER, LOWER]))
def test_few_have_no_z_and_two_have_no_baseline(
    samples: list[float], value: float, better: str
) -> None:
    told = judge(value, samples, better)
    assert (told.baseline is None) == (len(samples) < 3)
    assert told.z is None or (len(samples) >= 8 and math.isfinite(told.z))
    if len(samples) < 3:
        assert not told.outlier


@given(st.lists(POSITIVE, min_size=3, max_size=40), POSITIVE, st.sampled_from([HIGHER, LOWER]))
def test_nothing_better_than_the_median_or_close_to_it_is_an_outlier(
    samples: list[float], value: float, better: str
) -> None:
    told = judge(value, samples, better)
    median = statistics.median(samples)
    worse = median - value if better == HIGHER else value - median
    if worse < 0.0499 * median:
        assert not told.outlier
    if told.outlier:
        assert told.share >= 0.05


@given(st.lists(POSITIVE, min_size=3, max_size=20), POSITIVE, st.randoms())
def test_the_order_of_the_samples_does_not_matter(
    samples: list[float], value: float, random: Random
) -> None:
    shuffled = list(samples)
    random.shuffle(shuffled)
    one, other = judge(value, samples, HIGHER), judge(value, shuffled, HIGHER)
    assert one.outlier == other.outlier
    assert one.baseline == other.baseline


@given(st.lists(POSITIVE, min_size=3, max_size=20), POSITIVE, st.floats(0.0, 1.0))
def test_what_is_worse_still_is_no_better(
    samples: list[float], value: float, factor: float
) -> None:
    """Among the same samples: if a number is an outlier, so is every smaller one."""
    if judge(value, samples, HIGHER).outlier:
        assert judge(value * factor, samples, HIGHER).outlier


@pytest.mark.parametrize(
    ("metric", "outlier"),
    [
        ({"value": 89.0, "baseline": 100.0, "z": None}, True),
        ({"value": 91.0, "baseline": 100.0, "z": None}, False),
        ({"value": 94.0, "baseline": 100.0, "z": -4.0}, True),
        ({"value": 94.0, "baseline": 100.0, "z": -3.0}, False),
        ({"value": 1.0, "baseline": None, "z": None}, False),
        ({"value": None, "baseline": 100.0, "z": None}, False),
    ],
)
def test_a_metric_of_a_record(metric: dict[str, Any], outlier: bool) -> None:
    assert baselines.is_outlier({"id": "gemm.tflops", **metric}) is outlier
    assert not baselines.is_outlier({"id": "accuracy.f1", **metric})


@pytest.mark.parametrize("name", baselines.RULES)
def test_every_rule_is_whole(name: str) -> None:
    rule = baselines.RULES[name]
    assert rule.better in (HIGHER, LOWER)
    assert bool(rule.severity) == bool(rule.action)
