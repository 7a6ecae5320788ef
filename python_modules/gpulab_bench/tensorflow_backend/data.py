"""Synthetic items by the rules of `gpulab_bench.data`, from TensorFlow's generator."""

from __future__ import annotations

import tensorflow as tf

from gpulab_bench.config import TaskConfig

# As in gpulab_bench.data, which imports PyTorch.
HELDOUT_SHARE = 8


def is_heldout(source: tf.Tensor) -> tf.Tensor:
    """Tell which sources, [N, K], belong to the held-out split: booleans, [N]."""
    weights = 2 * tf.range(source.shape[1], dtype=source.dtype) + 1
    return tf.reduce_sum(source * weights, axis=1) % HELDOUT_SHARE == 0


def draw_items(task: TaskConfig, split: str, generator: tf.random.Generator) -> tf.Tensor:
    """Draw a split of ``source, separator, reversed source``: tokens, [N, 2K + 1], int32."""
    wanted = task.heldout_items if split == "heldout" else task.train_items
    kept = tf.zeros((0, task.source_tokens), tf.int32)
    while len(kept) < wanted:
        source = generator.uniform(
            (wanted, task.source_tokens), maxval=task.symbols, dtype=tf.int32
        )
        kept = tf.concat([kept, source[is_heldout(source) == (split == "heldout")]], axis=0)
    source = kept[:wanted]
    separator = tf.fill((wanted, 1), task.symbols)
    return tf.concat([source, separator, source[:, ::-1]], axis=1)
