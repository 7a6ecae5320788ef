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


# Kinds of symbols, one of which prevails: see `TaskConfig`. Of four, a guess is right a quarter of
# the time, and a model that counts a little wrong soon takes one for another.
CLASSES = 4


@dataclass(frozen=True)
class TaskConfig:
    """The learnable stream: two questions about a sequence of random symbols.

    An item is ``source, question, answer``. The symbols are ``0 .. symbols - 1``. The question
    ``symbols`` asks for the source backwards. The question 0, where no symbol of a source can
    stand, asks which kind of symbol prevails, for the whole source and then for ever less of it
    (see `gpulab_bench.data.prevailing`). So the vocabulary must hold ``symbols + 1`` tokens. The
    task may be far shorter than the model's context and use few of its tokens: it shows that the
    model learns.

    Attributes:
        symbols: size of the alphabet.
        source_tokens: K, length of the source and of the answer.
        train_items: items in the training split; an epoch asks each of them once.
        heldout_items: items in the held-out split, of each question.
    """

    symbols: int
    source_tokens: int
    train_items: int
    heldout_items: int

    @property
    def tokens(self) -> int:
        """Positions that the model processes in one item, 2K: all but the last token."""
        return 2 * self.source_tokens


@dataclass(frozen=True)
class SpeedConfig:
    """The run that is measured for speed alone: random tokens over the whole vocabulary.

    Attributes:
        batch_items: items of ``context`` tokens in an optimiser step. Where they do not fit the
            memory at once, they are split into micro-batches whose gradients are summed.
        steps: optimiser steps, warm-up included.
        warmup_steps: first steps, which the step-time statistics leave out.
    """

    batch_items: int
    steps: int
    warmup_steps: int


@dataclass(frozen=True)
class PrintedCount:
    """A count that somebody else printed for this shape, to stand beside the computed one.

    Attributes:
        source: who printed it, and how to read it.
        embedding: parameters of the embeddings, or None where not printed.
        non_embedding: all others, or None where not printed.
        total: all, or None where not printed.
    """

    source: str
    embedding: int | None = None
    non_embedding: int | None = None
    total: int | None = None


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
        speed: the run for speed; None where the training of the task fills the whole context and
            is measured itself.
        printed: counts that were printed elsewhere, or None.
    """

    name: str
    model: ModelConfig
    task: TaskConfig
    batch_items: int
    steps: int
    warmup_steps: int
    learning_rate: float
    cpu_threads: int
    speed: SpeedConfig | None = None
    printed: PrintedCount | None = None

    def __post_init__(self) -> None:
        """Refuse a task that the model cannot hold.

        Raises:
            ValueError: the context or the vocabulary does not fit the task.
        """
        if self.model.context < self.task.tokens:
            msg = f"{self.name}: context must be at least twice source_tokens"
            raise ValueError(msg)
        if self.model.vocab_size <= self.task.symbols:
            msg = f"{self.name}: vocab_size must be at least symbols + 1"
            raise ValueError(msg)

    @property
    def epoch_steps(self) -> int:
        """Steps that ask each item of the training split once; a rest of a batch is left out."""
        return max(1, self.task.train_items // self.batch_items)

    @property
    def tokens_per_step(self) -> int:
        """Positions that the model processes in one step of the task, B x 2K."""
        return self.batch_items * self.task.tokens

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


# What ``--preset auto`` takes: on a GPU one of the hardware guide's own, on a CPU one of seconds.
AUTO = "auto"
GPU_PRESET = "japanese-small"
CPU_PRESET = "xs"

# How a run for speed runs the model: operation by operation, or compiled by torch.compile.
SPEED_MODES = ("eager", "compile")

# Long enough to be learned only by looking back, short enough for seconds.
_TASK = TaskConfig(symbols=32, source_tokens=8, train_items=8192, heldout_items=512)
# 10 steps choose kernels and fill caches, 50 are timed.
_SPEED = SpeedConfig(batch_items=32, steps=60, warmup_steps=10)
_CPU_THREADS = 2
_GUIDE = "hardware guide's table of models"


def _guide_model(
    *,
    vocab_size: int,
    d_model: int,
    layers: int,
    heads: int,
    kv_heads: int,
    head_dim: int,
    ffn_hidden: int,
    tied_embeddings: bool,
) -> ModelConfig:
    """A model of the guide's table, whose "FFN hidden" counts both halves of a gated network.

    The table gives no context; 1024 is this project's choice.
    """
    return ModelConfig(
        vocab_size=vocab_size,
        context=1024,
        d_model=d_model,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        ffn_width=ffn_hidden // 2,
        gated_ffn=True,
        tied_embeddings=tied_embeddings,
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
        # nanoGPT's shape of GPT-2 small: no biases, vocabulary rounded up to a multiple of 64.
        Preset(
            name="gpt2-124m",
            model=ModelConfig(
                vocab_size=50304,
                context=1024,
                d_model=768,
                layers=12,
                heads=12,
                kv_heads=12,
                head_dim=64,
                ffn_width=3072,
                gated_ffn=False,
                tied_embeddings=True,
            ),
            task=_TASK,
            batch_items=64,
            steps=200,
            warmup_steps=10,
            learning_rate=6e-4,
            cpu_threads=_CPU_THREADS,
            speed=_SPEED,
            printed=PrintedCount("the name of OpenAI's smallest GPT-2", total=124_000_000),
        ),
        # The printed embedding is about 2 x vocabulary x width: input and output are two matrices.
        Preset(
            name="internlm-tiny",
            model=_guide_model(
                vocab_size=128_000,
                d_model=1024,
                layers=12,
                heads=4,
                kv_heads=1,
                head_dim=128,
                ffn_hidden=16_384,
                tied_embeddings=False,
            ),
            task=_TASK,
            batch_items=64,
            steps=200,
            warmup_steps=10,
            learning_rate=4e-4,
            cpu_threads=_CPU_THREADS,
            speed=_SPEED,
            printed=PrintedCount(_GUIDE, embedding=262_275_072, non_embedding=524_288_000),
        ),
        Preset(
            name="internlm-large",
            model=_guide_model(
                vocab_size=128_000,
                d_model=4096,
                layers=24,
                heads=32,
                kv_heads=32,
                head_dim=128,
                ffn_hidden=65_536,
                tied_embeddings=False,
            ),
            task=_TASK,
            batch_items=64,
            steps=200,
            warmup_steps=10,
            learning_rate=1e-4,
            cpu_threads=_CPU_THREADS,
            speed=_SPEED,
            printed=PrintedCount(_GUIDE, embedding=1_048_576_128, non_embedding=4_194_304_000),
        ),
        # The printed embedding is vocabulary x width: the output projection is the embedding.
        Preset(
            name="japanese-small",
            model=_guide_model(
                vocab_size=32_000,
                d_model=768,
                layers=6,
                heads=6,
                kv_heads=1,
                head_dim=64,
                ffn_hidden=12_288,
                tied_embeddings=True,
            ),
            task=_TASK,
            batch_items=64,
            steps=200,
            warmup_steps=10,
            learning_rate=6e-4,
            cpu_threads=_CPU_THREADS,
            speed=_SPEED,
            printed=PrintedCount(_GUIDE, embedding=24_576_000, non_embedding=98_304_000),
        ),
        Preset(
            name="japanese-large",
            model=_guide_model(
                vocab_size=32_000,
                d_model=1536,
                layers=12,
                heads=12,
                kv_heads=12,
                head_dim=64,
                ffn_hidden=24_576,
                tied_embeddings=True,
            ),
            task=_TASK,
            batch_items=64,
            steps=200,
            warmup_steps=10,
            learning_rate=3e-4,
            cpu_threads=_CPU_THREADS,
            speed=_SPEED,
            printed=PrintedCount(_GUIDE, embedding=49_152_000, non_embedding=393_216_000),
        ),
    )
}
