"""The decoder of `gpulab_bench.model`, from Keras layers.

Shapes are named as there: B items, T positions, D = d_model, H query heads, G key/value heads,
Q = head_dim, F = ffn_width, V = vocab_size. A Keras kernel is the transpose of PyTorch's weight.
"""

from __future__ import annotations

import math

import keras
import tensorflow as tf

from gpulab_bench.config import ModelConfig

INIT_STD = 0.02
# PyTorch's RMSNorm takes the smallest step of fp32 where it is given no epsilon.
EPSILON = 2.0**-23


def dense(width: int, std: float = INIT_STD) -> keras.layers.Dense:
    """A projection without bias."""
    initial = keras.initializers.RandomNormal(stddev=std)
    return keras.layers.Dense(width, use_bias=False, kernel_initializer=initial)


class RMSNorm(keras.layers.Layer):
    """Scale each position to a root mean square of 1, then by a gain per channel, in fp32."""

    def __init__(self) -> None:
        """Compute in fp32, whatever the policy is."""
        super().__init__(dtype="float32")

    def build(self, shape: tuple[int, ...]) -> None:
        """Make the gain."""
        self.gain = self.add_weight(shape=(shape[-1],), initializer="ones", name="gain")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """[B, T, D] to [B, T, D]."""
        mean_square = tf.reduce_mean(tf.square(x), axis=-1, keepdims=True)
        return x * tf.math.rsqrt(mean_square + EPSILON) * self.gain


class Attention(keras.layers.Layer):
    """Causal self-attention with grouped key/value heads."""

    def __init__(self, config: ModelConfig) -> None:
        """Make the projections; queries, keys and values are computed in one product."""
        super().__init__()
        self.config = config
        heads = (config.heads, config.kv_heads, config.kv_heads)
        self.widths = [each * config.head_dim for each in heads]
        self.qkv = dense(sum(self.widths))
        self.out = dense(config.d_model, INIT_STD / math.sqrt(2 * config.layers))

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Mix positions: [B, T, D] to [B, T, D]."""
        config = self.config
        batch, positions = tf.shape(x)[0], tf.shape(x)[1]
        query, key, value = tf.split(self.qkv(x), self.widths, axis=-1)
        group = config.heads // config.kv_heads
        # [B, T, G, H / G, Q]: the query heads that share a key/value head lie together.
        query = tf.reshape(query, (batch, positions, config.kv_heads, group, config.head_dim))
        key = tf.reshape(key, (batch, positions, config.kv_heads, config.head_dim))
        value = tf.reshape(value, (batch, positions, config.kv_heads, config.head_dim))
        scores = tf.einsum("btgrq,bsgq->bgrts", query, key) / math.sqrt(config.head_dim)
        seen = tf.linalg.band_part(tf.ones((positions, positions), tf.bool), -1, 0)
        scores = tf.where(seen, tf.cast(scores, tf.float32), -math.inf)
        shares = tf.cast(tf.nn.softmax(scores), value.dtype)
        mixed = tf.einsum("bgrts,bsgq->btgrq", shares, value)
        return self.out(tf.reshape(mixed, (batch, positions, config.heads * config.head_dim)))


class FeedForward(keras.layers.Layer):
    """Two-layer network, SwiGLU when gated, GELU otherwise."""

    def __init__(self, config: ModelConfig) -> None:
        """Make the projections; a gated network computes gate and up in one product."""
        super().__init__()
        self.gated = config.gated_ffn
        self.up = dense(config.ffn_width * (2 if config.gated_ffn else 1))
        self.down = dense(config.d_model, INIT_STD / math.sqrt(2 * config.layers))

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Transform each position: [B, T, D] to [B, T, D]."""
        inner = self.up(x)
        if self.gated:
            gate, value = tf.split(inner, 2, axis=-1)
            return self.down(tf.nn.silu(gate) * value)
        return self.down(tf.nn.gelu(inner, approximate=False))


class Block(keras.layers.Layer):
    """Attention, then feed-forward, each on a normalised copy and added back."""

    def __init__(self, config: ModelConfig) -> None:
        """Make the two halves."""
        super().__init__()
        self.attention_norm = RMSNorm()
        self.attention = Attention(config)
        self.ffn_norm = RMSNorm()
        self.ffn = FeedForward(config)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """[B, T, D] to [B, T, D], in fp32."""
        x = x + tf.cast(self.attention(self.attention_norm(x)), tf.float32)
        return x + tf.cast(self.ffn(self.ffn_norm(x)), tf.float32)


class Decoder(keras.Model):
    """Token and position embeddings, blocks, output projection."""

    def __init__(self, config: ModelConfig) -> None:
        """Make and initialise the weights from Keras' global seed."""
        super().__init__()
        initial = keras.initializers.RandomNormal(stddev=INIT_STD)
        self.tokens = keras.layers.Embedding(config.vocab_size, config.d_model, initial)
        self.positions = keras.layers.Embedding(config.context, config.d_model, initial)
        self.blocks = [Block(config) for _ in range(config.layers)]
        self.norm = RMSNorm()
        self.head = None if config.tied_embeddings else dense(config.vocab_size)
        self(tf.zeros((1, 1), tf.int32))  # makes the weights

    def call(self, tokens: tf.Tensor) -> tf.Tensor:
        """Predict the next token at each position: tokens [B, T] to logits [B, T, V], fp32."""
        places = self.positions(tf.range(tf.shape(tokens)[1]))
        x = tf.cast(self.tokens(tokens), tf.float32) + tf.cast(places, tf.float32)
        for block in self.blocks:
            x = block(x)
        x = tf.cast(self.norm(x), self.compute_dtype)
        if self.head is not None:
            return tf.cast(self.head(x), tf.float32)
        table = tf.cast(self.tokens.embeddings, self.compute_dtype)
        return tf.cast(tf.matmul(x, table, transpose_b=True), tf.float32)


def weights_by_name(model: Decoder) -> dict[str, tuple[keras.Variable, bool]]:
    """The weights by the names that PyTorch gives them, and whether to transpose them for it."""
    found = {
        "tokens.weight": (model.tokens.embeddings, False),
        "positions.weight": (model.positions.embeddings, False),
        "norm.weight": (model.norm.gain, False),
    }
    if model.head is not None:
        found["head.weight"] = (model.head.kernel, True)
    for index, block in enumerate(model.blocks):
        name = f"blocks.{index}"
        found |= {
            f"{name}.attention_norm.weight": (block.attention_norm.gain, False),
            f"{name}.attention.qkv.weight": (block.attention.qkv.kernel, True),
            f"{name}.attention.out.weight": (block.attention.out.kernel, True),
            f"{name}.ffn_norm.weight": (block.ffn_norm.gain, False),
            f"{name}.ffn.up.weight": (block.ffn.up.kernel, True),
            f"{name}.ffn.down.weight": (block.ffn.down.kernel, True),
        }
    return found
