"""Presets: the shape of the model, of the task and of the run. Data only; PyTorch is not needed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelConfig:
    """Shape of a decoder-only transformer.

    Attributes:
        vocab_size: V, rows of the token embedding.
        context: T, positions the model has an embedding for.
        d_model: D, width of the residual stream.
        layers: number of blocks.
        heads: H, query heads.
        kv_heads: key and value heads; each serves ``heads / kv_heads`` query heads.
        head_dim: Q, width of one head; ``heads * head_dim`` need not equal ``d_model``.
        ffn_width: F, width that the down projection reads. A table in Gemma's convention, which
            counts both halves of a gated network, gives twice this number.
        gated_ffn: ``down(silu(gate(x)) * up(x))`` rather than ``down(gelu(up(x)))``.
        tied_embeddings: the output projection is the token embedding.
    """

    vocab_size: int
    context: int
    d_model: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn_width: int
    gated_ffn: bool
    tied_embeddings: bool

    def __post_init__(self) -> None:
        """Refuse head counts that cannot be grouped.

        Raises:
            ValueError: ``heads`` is not a multiple of ``kv_heads``.
        """
        if self.heads % self.kv_heads:
            msg = f"heads ({self.heads}) must be a multiple of kv_heads ({self.kv_heads})"
            raise ValueError(msg)


@dataclass(frozen=True)
class TaskConfig:
    """The learnable stream: reverse a sequence of random symbols.

    An item is ``source, separator, reversed source``. The symbols are ``0 .. symbols - 1`` and the
    separator is ``symbols``, so the vocabulary must hold ``symbols + 1`` tokens.

    Attributes:
        symbols: size of the alphabet.
        source_tokens: K, length of the source and of the answer.
        train_items: items in the training split; one pass over as many items is an epoch.
        heldout_items: items in the held-out split.
    """

    symbols: int
    source_tokens: int
    train_items: int
    heldout_items: int


@dataclass(frozen=True)
class Preset:
    """One named benchmark.

    Attributes:
        name: what ``--preset`` takes.
        model: shape of the model.
        task: shape of the data.
        batch_items: B, items in a step.
        steps: optimiser steps.
        warmup_steps: first steps, which the step-time statistics leave out.
        learning_rate: peak of the schedule.
        cpu_threads: threads on a CPU unless ``OMP_NUM_THREADS`` says otherwise. A model that is
            too small to share gains little from a second thread, and loses much when two nodes
            of a sandbox share two cores; a fixed number also keeps sums in the same order.
    """

    name: str
    model: ModelConfig
    task: TaskConfig
    batch_items: int
    steps: int
    warmup_steps: int
    learning_rate: float
    cpu_threads: int

    def __post_init__(self) -> None:
        """Refuse a task that the model cannot hold.

        Raises:
            ValueError: the context or the vocabulary does not fit the task.
        """
        if self.model.context != 2 * self.task.source_tokens:
            msg = f"{self.name}: context must be twice source_tokens"
            raise ValueError(msg)
        if self.model.vocab_size <= self.task.symbols:
            msg = f"{self.name}: vocab_size must be at least symbols + 1"
            raise ValueError(msg)

    @property
    def tokens_per_step(self) -> int:
        """Positions that the model processes in one step, B x T."""
        return self.batch_items * self.model.context

    def learning_rate_at(self, step: int) -> float:
        """Learning rate of a step: linear rise over a tenth of the run, then linear fall to 0."""
        rise = max(1, self.steps // 10)
        if step < rise:
            return self.learning_rate * (step + 1) / rise
        return self.learning_rate * (self.steps - step) / (self.steps - rise)


@dataclass(frozen=True)
class ParameterCount:
    """Parameters by what they are for. A tied output projection counts once, as embedding."""

    token_embedding: int
    positional_embedding: int
    non_embedding: int

    @property
    def total(self) -> int:
        """All trainable parameters."""
        return self.token_embedding + self.positional_embedding + self.non_embedding


def count_parameters(config: ModelConfig) -> ParameterCount:
    """Count parameters from the shapes alone (no biases; one gain vector per normalisation).

    Per block: queries and output ``2·D·H·Q``, keys and values ``2·D·KV·Q``, feed-forward ``3·D·F``
    (gated) or ``2·D·F``, and two gains of D; one more gain of D before the output projection.
    """
    d = config.d_model
    attention = 2 * d * config.head_dim * (config.heads + config.kv_heads)
    ffn = (3 if config.gated_ffn else 2) * d * config.ffn_width
    embeddings = 1 if config.tied_embeddings else 2
    return ParameterCount(
        token_embedding=embeddings * config.vocab_size * d,
        positional_embedding=config.context * d,
        non_embedding=config.layers * (attention + ffn + 2 * d) + d,
    )


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        # Seconds on one slow core; exact match reaches 1 after about 50 of its 150 steps.
        Preset(
            name="xs",
            model=ModelConfig(
                vocab_size=33,
                context=16,
                d_model=64,
                layers=2,
                heads=4,
                kv_heads=2,
                head_dim=16,
                ffn_width=128,
                gated_ffn=True,
                tied_embeddings=True,
            ),
            task=TaskConfig(symbols=32, source_tokens=8, train_items=4096, heldout_items=512),
            batch_items=32,
            steps=150,
            warmup_steps=10,
            learning_rate=4e-3,
            cpu_threads=1,
        ),
    )
}
