"""docs/training.md prints the presets as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpulab_bench.config import PRESETS, Preset, count_parameters
from gpulab_bench.memory import estimate, ranks_needed

PAGE = (Path(__file__).parents[3] / "docs/training.md").read_text(encoding="utf-8")


def row(preset: Preset) -> str:
    """The preset's line of the table."""
    model, counts, printed = preset.model, count_parameters(preset.model), preset.printed
    hidden = f"{2 * model.ffn_width} gated" if model.gated_ffn else str(model.ffn_width)

    def told(count: int | None) -> str:
        return "–" if count is None else f"{count:,}"  # noqa: RUF001  as the page prints it

    cells = (
        f"`{preset.name}`",
        f"{model.layers} × {model.d_model}",  # noqa: RUF001
        f"{model.heads} ({model.kv_heads}) × {model.head_dim}",  # noqa: RUF001
        hidden,
        str(model.vocab_size),
        "tied" if model.tied_embeddings else "untied",
        told(counts.token_embedding),
        told(printed.embedding if printed else None),
        told(counts.non_embedding),
        told(printed.non_embedding if printed else None),
        told(counts.positional_embedding),
    )
    return f"| {' | '.join(cells)} |"


@pytest.mark.parametrize("name", PRESETS)
def test_the_table_of_models_is_computed(name: str) -> None:
    assert row(PRESETS[name]) in PAGE


# GB of a GPU, and the precision that it trains in: the columns of the table of what fits where.
GPUS = (
    (16, "fp16"),
    (32, "fp16"),
    (40, "bf16"),
    (48, "bf16"),
    (80, "bf16"),
    (141, "bf16"),
    (180, "bf16"),
)


@pytest.mark.parametrize("name", PRESETS)
def test_the_table_of_what_fits_where_is_computed(name: str) -> None:
    preset = PRESETS[name]
    need = estimate(preset.model, preset.batch_items, preset.task.tokens, "bf16").total / 2**30
    fewest = [ranks_needed(preset, precision, (gb - 1) * 2**30) for gb, precision in GPUS]
    cells = ["–" if number is None else str(number) for number in fewest]  # noqa: RUF001
    assert f"| `{name}` | {need:.1f} | {' | '.join(cells)} |" in PAGE
