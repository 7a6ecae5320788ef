"""Peaks by the whole name of a GPU, and MFU by the published formula."""

from __future__ import annotations

import pytest

from gpulab_bench.config import PRESETS
from gpulab_bench.peaks import mfu, peak_tflops, training_flops_per_token

GPT2 = PRESETS["gpt2-124m"].model


@pytest.mark.parametrize(
    ("name", "precision", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", "bf16", 989),
        ("NVIDIA H100 NVL", "bf16", 835),
        ("NVIDIA H100 PCIe", "bf16", 756),
        ("NVIDIA H200", "bf16", 989),
        ("NVIDIA B200", "bf16", 2250),
        ("NVIDIA A100-SXM4-80GB", "bf16", 312),
        ("NVIDIA L40S", "bf16", 362),
        ("Tesla V100-SXM2-32GB", "fp16", 125),
        ("Tesla V100-PCIE-32GB", "fp16", 112),
    ],
)
def test_a_known_gpu_has_its_own_peak(name: str, precision: str, peak: float) -> None:
    assert peak_tflops(name, precision) == peak


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("NVIDIA Unheard Of", "bf16"),
        ("", "bf16"),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", "bf16"),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", "bf16"),
        ("NVIDIA GeForce RTX 4090 D", "bf16"),
        ("Tesla V100-SXM2-32GB", "bf16"),
        ("NVIDIA H100 80GB HBM3", "fp32"),
        ("AMD EPYC 9554 64-Core Processor", "fp32"),
    ],
)
def test_any_other_has_none(name: str, precision: str) -> None:
    assert peak_tflops(name, precision) is None


def test_an_a100s_peak_is_an_a100s_alone() -> None:
    others = (
        "NVIDIA H100 PCIe",
        "NVIDIA L40S",
        "NVIDIA A10",
        "NVIDIA A30",
        "NVIDIA A800-SXM4-80GB",
    )
    assert 312.0 not in [peak_tflops(name, "bf16") for name in others]


def test_operations_of_a_token() -> None:
    """GPT-2: 6 x 123,587,328 parameters + 12 x 12 layers x 12 heads x 64 x 1024 positions."""
    assert training_flops_per_token(GPT2, 1024) == 6 * 123_587_328 + 12 * 12 * 12 * 64 * 1024


def test_a_table_that_is_only_looked_up_is_no_arithmetic() -> None:
    tiny = PRESETS["internlm-tiny"].model
    multiplied = 317_744_128 + 128_000 * 1024
    assert training_flops_per_token(tiny, 1024) == 6 * multiplied + 12 * 12 * 4 * 128 * 1024


def test_nanogpts_published_share_comes_out() -> None:
    """About 109k tokens/s on an A100 were published as about 30 %."""
    assert mfu(109_000, GPT2, 1024, 312.0) == pytest.approx(0.30, abs=0.01)


@pytest.mark.parametrize(("speed", "peak"), [(None, 312.0), (1000.0, None), (None, None)])
def test_mfu_is_null_where_something_is_unknown(speed: float | None, peak: float | None) -> None:
    assert mfu(speed, GPT2, 1024, peak) is None
