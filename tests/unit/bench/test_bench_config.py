"""Presets, and counts that follow from shapes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gpulab_bench.config import PRESETS, ModelConfig, count_parameters

XS = PRESETS["xs"]
GPT2_SHAPE = ModelConfig(
    vocab_size=50257,
    context=1024,
    d_model=768,
    layers=12,
    heads=12,
    kv_heads=12,
    head_dim=64,
    ffn_width=3072,
    gated_ffn=False,
    tied_embeddings=True,
)


def test_counts_of_the_shape_of_gpt2() -> None:
    """GPT-2 124M without its biases: 12 blocks of 12·D² weights and 2·D gains, and a last D."""
    counts = count_parameters(GPT2_SHAPE)
    assert counts.token_embedding == 38_597_376
    assert counts.positional_embedding == 786_432
    assert counts.non_embedding == 84_953_856
    assert counts.total == 124_337_664


def test_an_untied_output_counts_as_a_second_embedding() -> None:
    tied, untied = (
        count_parameters(replace(GPT2_SHAPE, tied_embeddings=tied)) for tied in (True, False)
    )
    assert untied.token_embedding == 2 * tied.token_embedding
    assert untied.non_embedding == tied.non_embedding


def test_grouped_heads_need_fewer_keys_and_values() -> None:
    grouped = count_parameters(replace(GPT2_SHAPE, kv_heads=1))
    saved = 12 * 2 * 768 * 64 * 11
    assert count_parameters(GPT2_SHAPE).non_embedding - grouped.non_embedding == saved


def test_a_gated_network_has_a_third_matrix() -> None:
    gated = count_parameters(replace(GPT2_SHAPE, gated_ffn=True))
    assert gated.non_embedding - count_parameters(GPT2_SHAPE).non_embedding == 12 * 768 * 3072


def test_heads_that_cannot_be_grouped_are_refused() -> None:
    with pytest.raises(ValueError, match=r"heads \(12\) must be a multiple of kv_heads \(5\)"):
        replace(GPT2_SHAPE, kv_heads=5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"context": 15}, "context must be at least twice source_tokens"),
        ({"vocab_size": 32}, "vocab_size must be at least symbols"),
    ],
)
def test_a_task_that_the_model_cannot_hold_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(XS, model=replace(XS.model, **change))


def test_the_learning_rate_rises_then_falls_and_never_is_zero() -> None:
    rates = [XS.learning_rate_at(step) for step in range(XS.steps)]
    peak = rates.index(max(rates))
    assert max(rates) == pytest.approx(XS.learning_rate)
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert min(rates) > 0


def test_presets_are_known_by_their_own_name() -> None:
    assert all(name == preset.name for name, preset in PRESETS.items())
