"""Shapes, counts and causality of the model."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from gpulab_bench.config import PRESETS, ModelConfig, count_parameters
from gpulab_bench.model import Attention, Decoder

XS = PRESETS["xs"].model


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize(("heads", "kv_heads", "head_dim"), [(4, 2, 16), (4, 1, 8), (3, 3, 64)])
def test_parameters_are_exactly_those_of_the_formula(
    tied: bool, gated: bool, heads: int, kv_heads: int, head_dim: int
) -> None:
    config = replace(
        XS,
        tied_embeddings=tied,
        gated_ffn=gated,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
    )
    model = Decoder(config)
    counts = count_parameters(config)
    # parameters() yields a shared tensor once.
    assert sum(parameter.numel() for parameter in model.parameters()) == counts.total
    assert model.positions.weight.numel() == counts.positional_embedding
    outside = sum(parameter.numel() for parameter in model.blocks.parameters())
    assert outside + model.norm.weight.numel() == counts.non_embedding


@pytest.mark.parametrize("config", [XS, replace(XS, gated_ffn=False, tied_embeddings=False)])
def test_logits_for_every_position(config: ModelConfig) -> None:
    tokens = torch.randint(config.vocab_size, (3, 7))
    assert Decoder(config)(tokens).shape == (3, 7, config.vocab_size)


def test_no_position_sees_the_future() -> None:
    model = Decoder(XS)
    tokens = torch.randint(XS.vocab_size - 1, (2, 16))
    changed = tokens.clone()
    changed[:, 10:] = XS.vocab_size - 1
    with torch.inference_mode():
        before, after = model(tokens), model(changed)
    torch.testing.assert_close(before[:, :10], after[:, :10])
    assert not torch.allclose(before[:, 10:], after[:, 10:])


def test_every_position_sees_the_whole_past() -> None:
    model = Decoder(XS)
    tokens = torch.randint(XS.vocab_size - 1, (1, 16))
    changed = tokens.clone()
    changed[:, 0] = XS.vocab_size - 1
    with torch.inference_mode():
        difference = (model(tokens) - model(changed)).abs().amax(dim=-1)
    assert bool((difference > 0).all())


def test_grouped_heads_equal_ungrouped_ones_with_repeated_weights() -> None:
    """A key/value head that serves two query heads is two equal heads of an ungrouped layer."""
    grouped = Attention(replace(XS, heads=4, kv_heads=2))
    full = Attention(replace(XS, heads=4, kv_heads=4))
    full.out.weight = grouped.out.weight
    query, key, value = grouped.qkv.weight.detach().split(grouped.widths)
    repeated = [
        heads.view(2, XS.head_dim, XS.d_model).repeat_interleave(2, dim=0).flatten(0, 1)
        for heads in (key, value)
    ]
    full.qkv.weight = torch.nn.Parameter(torch.cat([query, *repeated]))
    x = torch.randn(2, 5, XS.d_model)
    torch.testing.assert_close(grouped(x), full(x))
