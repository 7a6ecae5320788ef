"""The presets' models, counted parameter by parameter, without memory for any of them."""

from __future__ import annotations

import pytest
import torch

from gpulab_bench.config import PRESETS, count_parameters
from gpulab_bench.model import Decoder

# Embedding (tokens), positions, all others: counted by hand from the shapes.
COUNTS = {
    "xs": (2_112, 1_024, 74_048),
    "gpt2-124m": (38_633_472, 786_432, 84_953_856),
    "internlm-tiny": (262_144_000, 1_048_576, 317_744_128),
    "internlm-large": (1_048_576_000, 4_194_304, 11_274_489_856),
    "japanese-small": (24_576_000, 786_432, 89_073_408),
    "japanese-large": (49_152_000, 1_572_864, 736_138_752),
}


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_the_model_has_the_parameters_that_are_stated(name: str) -> None:
    config = PRESETS[name].model
    with torch.device("meta"):
        model = Decoder(config)
    sizes = {key: parameter.numel() for key, parameter in model.named_parameters()}
    embedding = sizes.pop("tokens.weight") + sizes.pop("head.weight", 0)
    positions = sizes.pop("positions.weight")
    assert (embedding, positions, sum(sizes.values())) == COUNTS[name]
    counts = count_parameters(config)
    stated = (counts.token_embedding, counts.positional_embedding, counts.non_embedding)
    assert stated == COUNTS[name]


def test_the_tables_own_widths_are_built() -> None:
    """The guide's FFN hidden size counts both halves of a gated network."""
    with torch.device("meta"):
        block = Decoder(PRESETS["internlm-tiny"].model).blocks[0]
    assert block.ffn.up.weight.shape == (16_384, 1024)
    assert block.ffn.down.weight.shape == (1024, 8_192)
    assert block.attention.qkv.weight.shape == ((4 + 1 + 1) * 128, 1024)


@pytest.mark.parametrize(
    ("name", "tied"), [("gpt2-124m", True), ("internlm-tiny", False), ("japanese-small", True)]
)
def test_embeddings_are_tied_where_the_printed_count_says_so(name: str, tied: bool) -> None:
    with torch.device("meta"):
        model = Decoder(PRESETS[name].model)
    assert (model.head.weight is model.tokens.weight) is tied
