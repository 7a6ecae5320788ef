"""All-reduce among the processes of a group: how fast GPUs exchange gradients."""

from __future__ import annotations

import time
from typing import Any

from gpulab_bench.context import Context
from gpulab_bench.nccl import read_transports
from gpulab_bench.stats import quantile

# Large enough that the rate and not the start of an operation is measured.
GPU_BYTES = 1024**3
CPU_BYTES = 16 * 1024**2

WARMUP = 2
LEAST_REPEATS = 5


def run(context: Context) -> dict[str, Any]:
    """Sum a buffer over all ranks, again and again.

    Returns:
        The document's section ``allreduce``. ``bus_gbs`` = S / t x 2 (n - 1) / n: bytes per second
        that each rank must send and receive at least, whatever n is, so it compares with the link.
        t is the median of the slowest rank's times.

    Raises:
        RuntimeError: the sum is wrong.
    """
    import torch
    from torch import distributed

    device = context.group_device()
    on_gpu = device.type == "cuda"
    n = context.world_size
    numbers = (GPU_BYTES if on_gpu else CPU_BYTES) // 4
    buffer = torch.empty(numbers, dtype=torch.float32, device=device)
    seconds: list[float] = []
    started = time.monotonic()
    with context.window("allreduce"):
        for repeat in range(10**6):
            buffer.fill_(context.rank + 1)
            distributed.barrier()
            if on_gpu:
                torch.cuda.synchronize(device)
            begun = time.perf_counter()
            distributed.all_reduce(buffer)
            if on_gpu:
                torch.cuda.synchronize(device)
            took = torch.tensor([time.perf_counter() - begun], device=device)
            # Who stops stops together: the first rank's clock and signals decide.
            on = repeat < WARMUP + LEAST_REPEATS - 1 or context.going_on(started)
            went_on = torch.tensor([float(on)], device=device)
            distributed.all_reduce(took, op=distributed.ReduceOp.MAX)
            distributed.broadcast(went_on, src=0)
            if repeat >= WARMUP:
                seconds.append(float(took))
            if not float(went_on):
                break
    expected = n * (n + 1) / 2
    if not bool((buffer == expected).all()):
        msg = f"the sum over {n} ranks is not {expected:g} everywhere"
        raise RuntimeError(msg)
    size = numbers * 4
    median = quantile(seconds, 0.5)
    return {
        "backend": distributed.get_backend(),
        "processes": n,
        "bytes": size,
        "repeats": len(seconds),
        "seconds": median,
        "bus_gbs": size / median * 2 * (n - 1) / n / 1e9,
        "transports": read_transports(context.folder) if on_gpu else [],
    }
