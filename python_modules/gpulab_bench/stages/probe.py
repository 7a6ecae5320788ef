"""What the node has: PyTorch and its devices."""

from __future__ import annotations

import sys
import time
from typing import Any

from gpulab_bench.context import Context, FrameworkError


def run(context: Context) -> dict[str, Any]:
    """Import PyTorch and open the device.

    Returns:
        ``import_s``; ``environment``; ``device``, which is trained on; ``devices``, all GPUs;
        ``preset``, the name of what is trained.

    Raises:
        FrameworkError: PyTorch does not import.
        DeviceUnavailableError: the device that was asked for is not there.
    """
    started = time.perf_counter()
    try:
        import torch
    except Exception as error:  # a broken build raises OSError and RuntimeError too
        msg = f"{type(error).__name__}: {error}"
        raise FrameworkError(msg) from error
    import_s = time.perf_counter() - started
    context.progress(f"PyTorch {torch.__version__} imported in {import_s:.1f} s")
    from gpulab_bench.device import describe_gpu

    device = context.device.describe()
    on_gpu = device["type"] == "cuda"
    return {
        "import_s": import_s,
        "environment": {
            "python": ".".join(str(part) for part in sys.version_info[:3]),
            "torch": torch.__version__,
            "cuda_build": torch.version.cuda,
            "visible_gpus": torch.cuda.device_count(),
        },
        "device": device,
        "devices": [describe_gpu(index.index) for index in context.devices()] if on_gpu else [],
        "preset": context.preset.name,
    }
