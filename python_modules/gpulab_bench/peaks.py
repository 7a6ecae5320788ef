"""Arithmetic peak of a GPU, and the share of it that a training reaches (MFU)."""

from __future__ import annotations

from gpulab_bench.config import ModelConfig, count_parameters

# Dense 16-bit tensor-core peak in TFLOP/s by CUDA's name of the GPU, from NVIDIA's data sheets.
# Names are compared whole: an SXM, an NVL and a PCIe card differ by up to a third, a MIG slice or a
# laptop's GPU has a suffix and another peak, and a GPU that is not here has no peak.
_AMPERE_AND_LATER = {
    "NVIDIA A100-SXM4-40GB": 312.0,
    "NVIDIA A100-SXM4-80GB": 312.0,
    "NVIDIA A100-PCIE-40GB": 312.0,
    "NVIDIA A100 80GB PCIe": 312.0,
    "NVIDIA H100 80GB HBM3": 989.0,  # SXM
    "NVIDIA H100 NVL": 835.0,
    "NVIDIA H100 PCIe": 756.0,
    "NVIDIA H200": 989.0,
    "NVIDIA B200": 2250.0,
    "NVIDIA L40S": 362.0,
    "NVIDIA GeForce RTX 4090": 165.2,
    "NVIDIA GeForce RTX 5090": 209.5,
}
# Volta has no bf16.
_VOLTA = {
    "Tesla V100-SXM2-16GB": 125.0,
    "Tesla V100-SXM2-32GB": 125.0,
    "Tesla V100-PCIE-16GB": 112.0,
    "Tesla V100-PCIE-32GB": 112.0,
}
PEAK_TFLOPS: dict[str, dict[str, float]] = {
    "bf16": _AMPERE_AND_LATER,
    "fp16": {**_AMPERE_AND_LATER, **_VOLTA},
}


def peak_tflops(name: str, precision: str) -> float | None:
    """Dense peak of a GPU in TFLOP/s, or None for one that is not in the table.

    Args:
        name: as CUDA and nvidia-smi print it, such as ``NVIDIA H100 80GB HBM3``.
        precision: ``bf16`` or ``fp16``; others have no entry.
    """
    return PEAK_TFLOPS.get(precision, {}).get(name)


def training_flops_per_token(config: ModelConfig, positions: int) -> float:
    """Floating-point operations of forward and backward per token: ``6N + 12·L·H·Q·T``.

    N is the number of parameters that take part in a matrix product: without the positional
    embedding, and without an untied input embedding, which is only looked up. (A tied one is the
    output projection.) The second term is attention with T positions, not halved for causality.
    That is PaLM's and nanoGPT's way to count; work that is repeated to save memory does not count.

    Args:
        config: shape of the model.
        positions: T, positions of an item.
    """
    counts = count_parameters(config)
    multiplied = counts.total - counts.positional_embedding
    if not config.tied_embeddings:
        multiplied -= config.vocab_size * config.d_model
    attention = 12 * config.layers * config.heads * config.head_dim * positions
    return 6.0 * multiplied + attention


def mfu(
    tokens_per_s: float | None, config: ModelConfig, positions: int, peak: float | None
) -> float | None:
    """Model FLOP/s utilisation of one GPU, 0 to 1; None where the speed or the peak is unknown.

    Args:
        tokens_per_s: tokens per second of one GPU.
        config: shape of the model.
        positions: T, positions of an item.
        peak: TFLOP/s, from `peak_tflops`.
    """
    if tokens_per_s is None or not peak:
        return None
    return tokens_per_s * training_flops_per_token(config, positions) / (peak * 1e12)
