"""The memory estimate and what is decided by it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gpulab_bench.config import PRESETS, count_parameters
from gpulab_bench.memory import (
    USABLE,
    DoesNotFitError,
    default_preset,
    estimate,
    estimate_sharded,
    fit_group,
    fit_speed,
    largest_fitting,
    loss_chunk,
    ranks_needed,
)

GIB = 2**30
GPT2 = PRESETS["gpt2-124m"]


def test_states_take_sixteen_bytes_per_parameter_in_fp32() -> None:
    need = estimate(GPT2.model, 1, 1024, "fp32")
    total = count_parameters(GPT2.model).total
    assert (need.weights, need.gradients, need.optimiser) == (4 * total, 4 * total, 8 * total)


def test_sixteen_bit_copies_are_of_matrices_only() -> None:
    """12 layers of 12 D^2, and the output projection."""
    in_16_bit = estimate(GPT2.model, 1, 1024, "bf16").weights
    copies = in_16_bit - estimate(GPT2.model, 1, 1024, "fp32").weights
    assert copies == 2 * (12 * 12 * 768**2 + 50304 * 768)


def test_activations_grow_with_the_rows_and_no_faster() -> None:
    one, four = (estimate(GPT2.model, items, 1024, "bf16").activations for items in (1, 4))
    longer = estimate(GPT2.model, 1, 4096, "bf16").activations
    assert four == longer == 4 * one


def test_logits_are_bounded() -> None:
    small, large = (estimate(GPT2.model, items, 1024, "bf16").logits for items in (64, 128))
    assert small > 0
    # Only the gradient of the projection's input still grows.
    assert large - small == 4 * 64 * 1024 * 768
    assert loss_chunk(10**6, 128_000) == 2**29 // 128_000
    assert loss_chunk(16, 33) == 16
    assert loss_chunk(16, 2**30) == 1


def test_a_preset_with_room_is_not_split() -> None:
    fit = fit_speed(GPT2, "bf16", 80 * GIB)
    assert (fit.batch_items, fit.accumulate) == (32, 1)
    assert fit.estimate.total <= USABLE * 80 * GIB


@pytest.mark.parametrize("gib", [4, 8, 16, 24])
def test_a_step_keeps_its_size_where_it_is_split(gib: int) -> None:
    fit = fit_speed(GPT2, "bf16", gib * GIB)
    assert fit.batch_items * fit.accumulate == 32
    assert fit.accumulate > 1
    assert fit.estimate.total <= USABLE * gib * GIB
    twice = estimate(GPT2.model, 2 * fit.batch_items, 1024, "bf16")
    assert twice.total > USABLE * gib * GIB


def test_unknown_memory_splits_nothing() -> None:
    assert fit_speed(GPT2, "bf16", None).batch_items == 32


def test_what_does_not_fit_says_so_with_the_estimate_and_what_does() -> None:
    with pytest.raises(DoesNotFitError) as caught:
        fit_speed(PRESETS["internlm-large"], "bf16", 79 * GIB)
    text = str(caught.value)
    assert "internlm-large needs about 2" in text  # 208 GiB
    assert "79.0 GiB are free" in text
    assert "use --preset japanese-large" in text


def test_where_nothing_fits_no_preset_is_named() -> None:
    with pytest.raises(DoesNotFitError, match="not even xs fits"):
        fit_speed(PRESETS["xs"], "fp32", 100_000)


def test_nearest_is_the_largest_that_fits() -> None:
    assert largest_fitting("bf16", 1000 * GIB) == "internlm-large"
    assert largest_fitting("bf16", 24 * GIB) == "japanese-large"
    assert largest_fitting("bf16", 1) is None


def test_without_a_run_for_speed_the_task_is_what_is_measured() -> None:
    xs = PRESETS["xs"]
    assert fit_speed(xs, "fp32", None).batch_items == xs.batch_items
    assert fit_speed(replace(xs, batch_items=8), "fp32", GIB).batch_items == 8


@pytest.mark.parametrize(
    ("precision", "gib", "preset"),
    [
        ("fp32", None, "xs"),
        ("fp16", 15.8, "japanese-small"),  # V100 with 16 GB
        ("bf16", 79.2, "japanese-small"),
        ("fp32", 15.9, "japanese-small"),  # P100
        ("fp32", 2.0, "xs"),
    ],
)
def test_the_preset_of_who_asks_for_none(precision: str, gib: float | None, preset: str) -> None:
    memory_bytes = None if gib is None else int(gib * GIB)
    assert default_preset(precision, memory_bytes) == preset


LARGE = PRESETS["internlm-large"]


@pytest.mark.parametrize(
    ("gib", "ranks", "way"),
    # GPUs of 80 GB and of 141 GB, and one that does not exist.
    [(79, 8, "sharded"), (79, 4, "sharded"), (140, 2, "sharded"), (400, 2, "replicated")],
)
def test_a_group_shares_what_none_of_it_holds(gib: int, ranks: int, way: str) -> None:
    fit = fit_group(LARGE, "bf16", gib * GIB, ranks)
    assert (fit.way, fit.precision) == (way, "bf16")
    assert fit.estimate.total <= USABLE * gib * GIB


def test_what_a_group_does_not_hold_says_how_many_would() -> None:
    with pytest.raises(DoesNotFitError, match="on each of 2 processes") as told:
        fit_group(LARGE, "bf16", 79 * GIB, 2)
    least = ranks_needed(LARGE, "bf16", 79 * GIB)
    assert least == 4
    assert f"it takes {least} such GPUs in all" in str(told.value)
    with pytest.raises(DoesNotFitError, match="GPUs with more memory"):
        fit_group(LARGE, "bf16", 15 * GIB, 8)


def test_a_group_is_as_it_is_asked_to_be() -> None:
    xs = PRESETS["xs"]
    assert fit_group(xs, "fp32", None, 2).way == "replicated"
    assert fit_group(xs, "fp32", None, 2, "sharded").way == "sharded"
    with pytest.raises(DoesNotFitError):
        fit_group(LARGE, "bf16", 79 * GIB, 8, "replicated")
    # No gradient scaler is built for shares: V100s train them in fp32.
    assert fit_group(xs, "fp16", None, 2, "sharded").precision == "fp32"
    assert fit_group(xs, "fp16", None, 2).precision == "fp16"


def test_shares_get_smaller_with_every_rank() -> None:
    totals = [estimate_sharded(LARGE.model, 64, 16, "bf16", ranks).total for ranks in range(2, 33)]
    assert totals == sorted(totals, reverse=True)
    # What is left is what every rank needs by itself.
    whole = estimate_sharded(LARGE.model, 64, 16, "bf16", 10**9)
    assert whole.activations + whole.logits < whole.total < totals[-1]
