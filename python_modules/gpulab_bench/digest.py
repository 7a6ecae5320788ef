"""What tensors hold, in a few characters: ranks and runs are compared bit by bit by it."""

from __future__ import annotations

import ctypes
import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def digest(tensors: list[torch.Tensor]) -> str:
    """SHA-256 over the bits of tensors, in order."""
    total = hashlib.sha256()
    for tensor in tensors:
        raw = tensor.detach().cpu().contiguous()
        # By its address: NumPy, which tensor.numpy() needs, may be missing, and knows no bf16.
        total.update(ctypes.string_at(raw.data_ptr(), raw.numel() * raw.element_size()))
    return total.hexdigest()
