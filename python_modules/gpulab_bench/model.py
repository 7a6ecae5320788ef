"""The model: a decoder-only transformer with grouped-query attention.

Shapes: B items, T positions, D = d_model, H query heads, G key/value heads, Q = head_dim,
F = ffn_width, V = vocab_size. Pre-normalised, learned positions, no biases, no dropout.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from gpulab_bench.config import ModelConfig

# GPT-2's initialisation.
INIT_STD = 0.02

# Whether this PyTorch's fused attention knows grouped heads (2.5).
FUSED_GROUPS = "enable_gqa" in (functional.scaled_dot_product_attention.__doc__ or "")


class Attention(nn.Module):
    """Causal self-attention with grouped key/value heads."""

    def __init__(self, config: ModelConfig) -> None:
        """Make the projections; queries, keys and values are computed in one product."""
        super().__init__()
        self.config = config
        self.widths = [heads * config.head_dim for heads in _heads_of(config)]
        self.qkv = nn.Linear(config.d_model, sum(self.widths), bias=False)
        self.out = nn.Linear(config.heads * config.head_dim, config.d_model, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Mix positions: [B, T, D] to [B, T, D]."""
        query, key, value = (
            projected.unflatten(-1, (heads, self.config.head_dim)).transpose(1, 2)
            for projected, heads in zip(
                self.qkv(x).split(self.widths, dim=-1), _heads_of(self.config)
            )
        )  # [B, heads, T, Q] each
        mixed = _attend(query, key, value)
        return self.out(mixed.transpose(1, 2).flatten(2))


def _heads_of(config: ModelConfig) -> tuple[int, int, int]:
    """Heads of queries, keys and values."""
    return config.heads, config.kv_heads, config.kv_heads


def _attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Fused causal attention: [B, H, T, Q] and twice [B, G, T, Q] to [B, H, T, Q].

    The fused kernels read each key/value head for its H / G query heads, so that none is copied;
    before PyTorch 2.5 they could not, and the heads are repeated.
    """
    group = query.shape[1] // key.shape[1]
    if group == 1:
        return functional.scaled_dot_product_attention(query, key, value, is_causal=True)
    if FUSED_GROUPS:
        return functional.scaled_dot_product_attention(
            query, key, value, is_causal=True, enable_gqa=True
        )
    key, value = (heads.repeat_interleave(group, dim=1) for heads in (key, value))
    return functional.scaled_dot_product_attention(query, key, value, is_causal=True)


class FeedForward(nn.Module):
    """Two-layer network, SwiGLU when gated, GELU otherwise."""

    def __init__(self, config: ModelConfig) -> None:
        """Make the projections; a gated network computes gate and up in one product."""
        super().__init__()
        self.gated = config.gated_ffn
        inner = config.ffn_width * (2 if config.gated_ffn else 1)
        self.up = nn.Linear(config.d_model, inner, bias=False)
        self.down = nn.Linear(config.ffn_width, config.d_model, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Transform each position: [B, T, D] to [B, T, D]."""
        inner = self.up(x)
        if self.gated:
            gate, value = inner.chunk(2, dim=-1)
            return self.down(functional.silu(gate) * value)
        return self.down(functional.gelu(inner))


class Block(nn.Module):
    """Attention, then feed-forward, each on a normalised copy and added back."""

    def __init__(self, config: ModelConfig) -> None:
        """Make the two halves."""
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.d_model)
        self.attention = Attention(config)
        self.ffn_norm = nn.RMSNorm(config.d_model)
        self.ffn = FeedForward(config)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, T, D] to [B, T, D]."""
        x = x + self.attention(self.attention_norm(x))
        return x + self.ffn(self.ffn_norm(x))


def _draw(weight: torch.Tensor, std: float) -> None:
    nn.init.normal_(weight, std=std)


class Decoder(nn.Module):
    """Token and position embeddings, blocks, output projection."""

    def __init__(self, config: ModelConfig) -> None:
        """Make and initialise the weights from the global seed."""
        super().__init__()
        self.tokens = nn.Embedding(config.vocab_size, config.d_model)
        self.positions = nn.Embedding(config.context, config.d_model)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.d_model)
        self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        self.initialise(_draw)
        if config.tied_embeddings:
            self.head.weight = self.tokens.weight

    def initialise(self, draw: Callable[[torch.Tensor, float], None]) -> None:
        """Initialise the matrices; gains stay as they are.

        Args:
            draw: fills a weight with normal numbers of this standard deviation.
        """
        for parameter in self.parameters():
            if parameter.dim() == 2:
                draw(parameter, INIT_STD)
        # Each block adds twice to the residual stream: keep its variance independent of depth.
        for block in self.blocks:
            for projection in (block.attention.out, block.ffn.down):
                draw(projection.weight, INIT_STD / math.sqrt(2 * len(self.blocks)))

    def hidden(self, tokens: torch.Tensor) -> torch.Tensor:
        """What the output projection reads: tokens [B, T] to [B, T, D]."""
        x = self.tokens(tokens) + self.positions.weight[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Predict the next token at each position: tokens [B, T] to logits [B, T, V]."""
        return self.head(self.hidden(tokens))
