"""How much memory a training needs, estimated before it is asked for. PyTorch is not needed.

The estimate has these parts, in bytes. N: parameters, M: those in matrix products, R = B·T: rows
of a micro-batch; the other letters are those of `config.ModelConfig`. s = 2 in bf16 and fp16, and
4 in fp32.

- weights ``4N``: fp32, with autocast's 16-bit copies of the matrices ``sM`` beside them;
- gradients ``4N``;
- optimiser ``8N``: AdamW's two moments in fp32;
- activations, which the forward pass keeps for the backward pass. Per layer and row: of both
  normalisations the fp32 input and the value before the gain ``16D`` (a fused kernel keeps half of
  it) and the result ``2sD``; queries, keys, values and the result of attention ``sQ(2H + 2G)`` and
  its log-sum-exp ``4H``, since fused attention keeps no T x T matrix; the feed-forward's inner
  values, ``4sF`` gated (gate, value, SiLU, product) or ``2sF`` plain (before and after GELU). Once:
  ``(8 + s)D`` for the last normalisation;
- logits: fp32 logits, their log-softmax and the gradients of both, with a 16-bit copy and its
  gradient where s = 2: ``16 + 2s'`` bytes for each logit that is held at once (s' = 2 or 0), and
  for a chunked loss the fp32 gradient of the output projection ``4DV`` and of its input ``4RD``.

The formulas follow what autograd saves for each operation of `model.Decoder` in eager mode; the
tests hold them against what it really saves. Fragmentation and the GPU's context come on top: see
`USABLE`.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace

from gpulab_bench.config import (
    CPU_PRESET,
    GPU_PRESET,
    PRESETS,
    ModelConfig,
    Preset,
    SpeedConfig,
    count_parameters,
)

# Most logits that are held at once: 2^29 fp32 numbers are 2 GiB.
LOGITS_MAX = 2**29
# Share of the free memory that an estimate may fill. Our own proposal: the rest is for the
# allocator's fragments, the kernels' work space and what the formulas leave out.
USABLE = 0.9


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes that a training needs at its peak, by purpose."""

    weights: int
    gradients: int
    optimiser: int
    activations: int
    logits: int

    @property
    def total(self) -> int:
        """All parts: the peak is at the start of the backward pass, when all of them are there."""
        return sum(asdict(self).values())

    def describe(self) -> dict[str, int]:
        """The parts and their sum, for the document."""
        return {**asdict(self), "total": self.total}


class DoesNotFitError(RuntimeError):
    """The preset needs more memory than there is; the text has the estimate and what would fit."""


def loss_chunk(rows: int, vocab_size: int, logits_max: int = LOGITS_MAX) -> int:
    """Rows whose logits are held at once: all of them, or what fits ``logits_max``, 1 at least."""
    return min(rows, max(1, logits_max // vocab_size))


def estimate(
    config: ModelConfig, batch_items: int, positions: int, precision: str
) -> MemoryEstimate:
    """Estimate the memory of training with AdamW, by the formulas above.

    Args:
        config: shape of the model.
        batch_items: B, items of a micro-batch.
        positions: T, positions of an item.
        precision: ``fp32``, ``bf16`` or ``fp16``.
    """
    counts = count_parameters(config)
    d, q, f = config.d_model, config.head_dim, config.ffn_width
    size = 4 if precision == "fp32" else 2
    rows = batch_items * positions
    # Gains, positions and an input embedding of its own take part in no matrix product.
    gains = (2 * config.layers + 1) * d
    output = config.vocab_size * d
    matrices = counts.non_embedding - gains + output
    ffn = (4 if config.gated_ffn else 2) * size * f
    attention = size * q * 2 * (config.heads + config.kv_heads) + 4 * config.heads
    layer = (16 + 2 * size) * d + attention + ffn
    chunk = loss_chunk(rows, config.vocab_size)
    chunked = 4 * output + 4 * rows * d if chunk < rows else 0
    per_logit = 16 + (4 if size == 2 else 0)
    return MemoryEstimate(
        weights=4 * counts.total + (2 * matrices if size == 2 else 0),
        gradients=4 * counts.total,
        optimiser=8 * counts.total,
        activations=rows * (config.layers * layer + (8 + size) * d),
        logits=per_logit * chunk * config.vocab_size + chunked,
    )


def estimate_replicated(
    config: ModelConfig, batch_items: int, positions: int, precision: str
) -> MemoryEstimate:
    """As `estimate`, of a rank that holds the whole model: buckets for the exchange beside it."""
    need = estimate(config, batch_items, positions, precision)
    return replace(need, gradients=2 * need.gradients)


def estimate_sharded(
    config: ModelConfig, batch_items: int, positions: int, precision: str, ranks: int
) -> MemoryEstimate:
    """As `estimate`, of one of several ranks that share one model (`gpulab_bench.sharded`).

    Weights, gradients and optimiser are split. Beside its part a rank holds, in the precision, the
    gathered weights of two blocks (one computes, the next one comes) and of what is outside the
    blocks, and of one block and what is outside the gradients, with their fp32 copies for the sum.

    Args:
        config: shape of the model.
        batch_items: B, items of this rank's micro-batch.
        positions: T, positions of an item.
        precision: ``fp32`` or ``bf16``.
        ranks: that share the model.
    """
    whole = estimate(config, batch_items, positions, precision)
    counts = count_parameters(config)
    size = 4 if precision == "fp32" else 2
    block = (counts.non_embedding - config.d_model) // config.layers
    outside = counts.total - config.layers * block
    part = math.ceil(counts.total / ranks)
    return replace(
        whole,
        weights=4 * part + size * (2 * block + outside),
        gradients=4 * part + (size + 4) * (block + outside),
        optimiser=8 * part,
    )


REPLICATED, SHARDED = "replicated", "sharded"
# No lab that this is for has more GPUs.
_MOST_RANKS = 512


@dataclass(frozen=True)
class GroupFit:
    """How several ranks train one preset.

    Attributes:
        way: `REPLICATED`, each rank holds the model, or `SHARDED`, they share it.
        precision: of the training; fp16 is not trained in shares, so it becomes fp32 there.
        estimate: bytes that a rank should need.
    """

    way: str
    precision: str
    estimate: MemoryEstimate


def fit_group(
    preset: Preset, precision: str, available: int | None, ranks: int, way: str = "auto"
) -> GroupFit:
    """Choose how a group trains a preset's task: replicated where that fits, else in shares.

    Args:
        preset: its task, in the preset's batch, on each rank.
        precision: ``fp32``, ``bf16`` or ``fp16``.
        available: free bytes of the rank that has the fewest, or None if unknown.
        ranks: in the group.
        way: ``auto``, or the one that is asked for.

    Raises:
        DoesNotFitError: neither fits; the text says how many GPUs like these it takes.
    """
    shape = (preset.model, preset.batch_items, preset.task.tokens)
    whole = GroupFit(REPLICATED, precision, estimate_replicated(*shape, precision))
    shared = "fp32" if precision == "fp16" else precision
    split = GroupFit(SHARDED, shared, estimate_sharded(*shape, shared, ranks))
    for fit in (whole, split):
        if way in ("auto", fit.way) and (
            available is None or fit.estimate.total <= USABLE * available
        ):
            return fit
    least = ranks_needed(preset, precision, available or 0)
    needs = f"{least} such GPUs in all" if least else "GPUs with more memory"
    raise DoesNotFitError(
        f"preset {preset.name} needs about {_gib(split.estimate.total)} GiB on each of {ranks} "
        f"processes that share it, and {_gib(available or 0)} GiB are free, of which {USABLE:.0%} "
        f"may be used: it takes {needs}, or a smaller preset"
    )


def ranks_needed(preset: Preset, precision: str, available: int) -> int | None:
    """Fewest processes, one for each GPU, that hold a preset's task; None where none do.

    Args:
        preset: its task, in the preset's batch, on each rank.
        precision: ``fp32``, ``bf16`` or ``fp16``.
        available: free bytes of each GPU.
    """
    shape = (preset.model, preset.batch_items, preset.task.tokens)
    if estimate(*shape, precision).total <= USABLE * available:
        return 1
    shared = "fp32" if precision == "fp16" else precision
    for ranks in range(2, _MOST_RANKS + 1):
        if estimate_sharded(*shape, shared, ranks).total <= USABLE * available:
            return ranks
    return None


@dataclass(frozen=True)
class Fit:
    """How a run for speed is split so that it fits.

    Attributes:
        batch_items: items of a micro-batch.
        accumulate: micro-batches of an optimiser step.
        estimate: bytes that it should need.
        available: bytes that were free, or None if unknown.
    """

    batch_items: int
    accumulate: int
    estimate: MemoryEstimate
    available: int | None


def fit_speed(preset: Preset, precision: str, available: int | None) -> Fit:
    """Choose the largest micro-batch that fits; the optimiser step keeps its size.

    The batch of the preset is halved until the estimate is within `USABLE` of the free memory.
    Where that is unknown, the preset's own batch is taken.

    Args:
        preset: a preset that has a run for speed.
        precision: ``fp32``, ``bf16`` or ``fp16``.
        available: free bytes of the device, or None if unknown.

    Raises:
        DoesNotFitError: not even one item fits.
    """
    speed = speed_of(preset)
    batch = speed.batch_items
    while True:
        need = estimate(preset.model, batch, preset.model.context, precision)
        if available is None or need.total <= USABLE * available:
            return Fit(batch, math.ceil(speed.batch_items / batch), need, available)
        if batch == 1:
            raise DoesNotFitError(_explain(preset, need, batch, precision, available))
        batch //= 2


def check_fits(preset: Preset, precision: str, available: int | None) -> MemoryEstimate:
    """Make sure that the training of the task fits, before anything is allocated.

    Args:
        preset: its task, in the preset's batch.
        precision: ``fp32``, ``bf16`` or ``fp16``.
        available: free bytes of the device, or None if unknown: then nothing is refused.

    Returns:
        The estimate.

    Raises:
        DoesNotFitError: it does not.
    """
    need = estimate(preset.model, preset.batch_items, preset.task.tokens, precision)
    if available is not None and need.total > USABLE * available:
        raise DoesNotFitError(_explain(preset, need, preset.batch_items, precision, available))
    return need


def default_preset(precision: str, memory_bytes: int | None) -> str:
    """Name the preset of a node that was asked for none.

    It goes by the memory that the GPU has, not by what is free, so that all processes of a run
    choose alike; what is free is asked before anything is allocated.

    Args:
        precision: ``fp32``, ``bf16`` or ``fp16``.
        memory_bytes: of the GPU; None on a CPU.
    """
    if memory_bytes is None:
        return CPU_PRESET
    preset = PRESETS[GPU_PRESET]
    try:
        check_fits(preset, precision, memory_bytes)
        fit_speed(preset, precision, memory_bytes)
    except DoesNotFitError:
        return CPU_PRESET
    return GPU_PRESET


def speed_of(preset: Preset) -> SpeedConfig:
    """The preset's run for speed, or the training of its task in the same form."""
    return preset.speed or SpeedConfig(preset.batch_items, preset.steps, preset.warmup_steps)


def largest_fitting(precision: str, available: int) -> str | None:
    """The preset with the most parameters that fits with one item, or None."""
    fitting = [
        preset
        for preset in PRESETS.values()
        if estimate(preset.model, 1, preset.model.context, precision).total <= USABLE * available
    ]
    if not fitting:
        return None
    return max(fitting, key=lambda preset: count_parameters(preset.model).total).name


def _explain(
    preset: Preset, need: MemoryEstimate, items: int, precision: str, available: int
) -> str:
    parts = ", ".join(f"{name} {_gib(size)}" for name, size in asdict(need).items())
    nearest = largest_fitting(precision, available)
    fix = f"use --preset {nearest}" if nearest else "free some memory: not even xs fits"
    return (
        f"preset {preset.name} needs about {_gib(need.total)} GiB for {items} items in {precision} "
        f"({parts} GiB); {_gib(available)} GiB are free, of which {USABLE:.0%} may be used: {fix}"
    )


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f}"
