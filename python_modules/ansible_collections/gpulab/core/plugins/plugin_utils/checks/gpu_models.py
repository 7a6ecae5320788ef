"""What a GPU's model tells about it."""

from __future__ import annotations

import re
from collections.abc import Iterable

# NVIDIA's data-centre GPUs from V100 on: their memory has ECC, on by default.
DATA_CENTRE = (
    "V100",
    "V100S",
    "A30",
    "A40",
    "A100",
    "A100X",
    "A800",
    "L40",
    "L40S",
    "H20",
    "H100",
    "H200",
    "H800",
    "GH200",
    "B100",
    "B200",
    "B300",
    "GB200",
    "GB300",
)
# NVML's name of a board whose NVLinks are wired on its baseboard -> how many there are (NVIDIA's
# data sheets: 300 GB/s of 50 each, 600 of 50, 900 of 50, 1800 of 100). On PCIe boards NVLink is an
# optional bridge: how many links it has is for the lab to declare.
_NVLINKS = (
    (r"V100-SXM[23]", 6),
    (r"A100-SXM4", 12),
    (r"H100 \d+GB HBM[23]e?", 18),
    (r"H200(?! NVL)", 18),
    (r"G?B[23]00", 18),
)


def is_model(name: str, models: Iterable[str]) -> bool:
    """Return whether a GPU's name has one of the models in it, as whole words.

    So "A100" is in "NVIDIA A100-SXM4-80GB", and "A10" or "B200" is not in "A100" or "GB200".
    """
    return any(
        re.search(rf"(?<![a-z0-9]){re.escape(model.strip().lower())}(?![a-z0-9])", name.lower())
        for model in models
    )


def nvlinks_of(name: str | None) -> int | None:
    """Return how many NVLinks a board of this name always has; None where that depends."""
    for pattern, links in _NVLINKS:
        if re.search(rf"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])", name or ""):
            return links
    return None
