"""What others measured on healthy GPUs: floors for the node's own numbers.

Sources: for matrix products, the measured rates in ml-engineering; for the rest, the floors of the
published health checks (NVIDIA DCGM, Azure, SuperBench). The memory's count bytes read plus bytes
written: a copy on an H100 could not reach its floor otherwise. A GPU that is not in the table has
no floor: its numbers are reported and not judged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# A healthy GPU reaches this share of the published GEMM rate; our proposal, to be calibrated.
GEMM_SHARE = 0.8

# The all-reduce floors are those of a full machine.
ALLREDUCE_GPUS = 8


@dataclass(frozen=True)
class Published:
    """Numbers of one model; None where nothing was published.

    Attributes:
        name: pattern of the whole name, as NVML and PyTorch tell it.
        gemm_tflops: measured dense bf16 matrix products, in TFLOP/s.
        memory_gbs: floor of a copy within its memory, in GB/s.
        h2d_gbs: floor of a copy from the host, in GB/s.
        allreduce_gbs: floor of the bus bandwidth of `ALLREDUCE_GPUS`, in GB/s.
    """

    name: str
    gemm_tflops: float | None = None
    memory_gbs: float | None = None
    h2d_gbs: float | None = None
    allreduce_gbs: float | None = None


# A share of a GPU (MIG) has a longer name, and so no floor. B200's published all-reduce is what was
# seen (846), no floor.
TABLE = (
    Published(r"(NVIDIA |Tesla )V100-SXM[23]-\d+GB", None, 607, 9, 110),
    Published(r"NVIDIA A100-SXM4-\d+GB", 271, 1173, 21, 228),
    Published(r"NVIDIA A100(-PCIE-40GB| \d+GB PCIe)", 253, 970, 21),
    Published(r"NVIDIA H100 \d+GB HBM3", 794, 1905, 48, 460),
    Published(r"NVIDIA H200", 794, 2333, 48, 431),
    Published(r"NVIDIA B200", 1745, 4072),
    Published(r"NVIDIA L40S", None, 525),
)


def published(name: str) -> Published | None:
    """Return the row of a GPU, or None for one that is not in the table."""
    return next((row for row in TABLE if re.fullmatch(row.name, name)), None)
