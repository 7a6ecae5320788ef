"""The training loop and the evaluation, by the rules of `gpulab_bench.train` and `evaluate`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from gpulab_bench.config import Preset
from gpulab_bench.result import training_section
from gpulab_bench.scores import macro
from gpulab_bench.stop import Stop
from gpulab_bench.tensorflow_backend.model import Decoder

CLIP_NORM = 1.0
PROGRESS_EVERY = 50
BATCH_ITEMS = 256


def answer_loss(logits: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
    """Cross-entropy in nats over the answer tokens only.

    Args:
        logits: predictions for ``items[:, 1:]``, [B, 2K, V].
        items: ``source, separator, answer``, [B, 2K + 1].
    """
    source_tokens = items.shape[1] // 2
    return tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(
            items[:, source_tokens + 1 :], logits[:, source_tokens:]
        )
    )


def train(
    model: Decoder,
    preset: Preset,
    items: tf.Tensor,
    generator: tf.random.Generator,
    stop: Stop,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Train until the preset's steps are done or ``stop`` gives a reason.

    A step whose loss or gradient is not finite is counted, and its update left out.

    Returns:
        The document's section ``training``.
    """
    optimiser = keras.optimizers.AdamW(
        learning_rate=0.0, weight_decay=0.01, beta_1=0.9, beta_2=0.98, epsilon=1e-8
    )
    optimiser.build(model.trainable_variables)

    def one_step(batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            loss = answer_loss(model(batch[:, :-1]), batch)
        gradients = tape.gradient(loss, model.trainable_variables)
        gradients, norm = tf.clip_by_global_norm(gradients, CLIP_NORM)
        if tf.math.is_finite(loss + norm):
            optimiser.apply_gradients(zip(gradients, model.trainable_variables))
        return loss, norm

    step = tf.function(one_step, jit_compile=False)
    losses: list[float | None] = []
    step_s: list[float] = []
    nonfinite = 0
    for number in range(preset.steps):
        if stop.reason() is not None:
            break
        optimiser.learning_rate.assign(preset.learning_rate_at(number))
        began = time.perf_counter()
        chosen = generator.uniform((preset.batch_items,), maxval=len(items), dtype=tf.int32)
        loss, norm = step(tf.gather(items, chosen))
        loss_ok, norm_ok = bool(tf.math.is_finite(loss)), bool(tf.math.is_finite(norm))
        step_s.append(time.perf_counter() - began)
        losses.append(float(loss) if loss_ok else None)
        nonfinite += not (loss_ok and norm_ok)
        if (number + 1) % PROGRESS_EVERY == 0 or number + 1 == preset.steps:
            progress(f"step {number + 1}/{preset.steps} loss {float(loss):.4f}")
    return training_section(preset, losses, step_s, nonfinite, 0)


def evaluate(model: Decoder, items: tf.Tensor, stop: Stop) -> dict[str, Any] | None:
    """Answer the held-out items greedily.

    Returns:
        The document's section ``evaluation``, or None when told to stop before its end.
    """
    source_tokens = items.shape[1] // 2
    classes = model.tokens.input_dim
    exact, right = 0, 0
    counts = [tf.zeros((classes,), tf.int32)] * 3
    for start in range(0, len(items), BATCH_ITEMS):
        if stop.reason() is not None:
            return None
        batch = items[start : start + BATCH_ITEMS]
        tokens = batch[:, : source_tokens + 1]
        for _ in range(source_tokens):
            best = tf.argmax(model(tokens)[:, -1:], axis=-1, output_type=tf.int32)
            tokens = tf.concat([tokens, best], axis=1)
        answers, due = tokens[:, source_tokens + 1 :], batch[:, source_tokens + 1 :]
        hits = answers == due
        exact += int(tf.reduce_sum(tf.cast(tf.reduce_all(hits, axis=1), tf.int32)))
        right += int(tf.reduce_sum(tf.cast(hits, tf.int32)))
        parts = (tf.boolean_mask(due, hits), answers, due)
        counts = [
            total + tf.math.bincount(tf.reshape(part, (-1,)), minlength=classes)
            for total, part in zip(counts, parts)
        ]
    precision, recall, f1 = macro(*([int(each) for each in count] for count in counts))
    return {
        "items": len(items),
        "exact_match": exact / len(items),
        "token_accuracy": right / (len(items) * source_tokens),
        "precision": precision,
        "recall": recall,
        "f1": f1,
    }
