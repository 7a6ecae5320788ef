"""Matrix products on all devices at once: what the arithmetic units reach under full load."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from gpulab_bench.context import Context
from gpulab_bench.stats import quantile

if TYPE_CHECKING:
    import torch

# Products before and in a timed round. A CPU has nothing to warm up but its caches.
GPU_WARMUP, GPU_TIMED = 50, 100
CPU_WARMUP, CPU_TIMED = 1, 3

# N of an N x N product. On a GPU large enough that launching it costs nothing beside it.
GPU_SIZE = 8192
CPU_SIZE = 1024


def run(context: Context) -> dict[str, Any]:
    """Multiply random matrices in the device's precision.

    One round is a number of products that every device does at the same time; rounds repeat for the
    stage's seconds. One TFLOP/s is 10^12 operations per second; a product of N x N has 2 N^3.

    Returns:
        The document's section ``gemm``: ``tflops`` is the median round, ``tflops_first`` and
        ``tflops_last`` show what heat does to a device.
    """
    import torch

    device = context.device
    on_gpu = context.on_gpu
    size, warmup, timed = (
        (GPU_SIZE, GPU_WARMUP, GPU_TIMED) if on_gpu else (CPU_SIZE, CPU_WARMUP, CPU_TIMED)
    )
    kind = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[device.precision]
    operands = [_operands(where, size, kind, context.order.seed) for where in context.devices()]
    _round(operands, warmup)
    rates: list[list[float]] = [[] for _ in operands]
    started = time.monotonic()
    with context.window("gemm"):
        while True:
            for device_rates, seconds in zip(rates, _round(operands, timed)):
                device_rates.append(timed * 2 * size**3 / seconds / 1e12)
            if not context.going_on(started):
                break
    return {
        "precision": device.precision,
        "size": size,
        "warmup": warmup,
        "timed": timed,
        "devices": [
            {
                "scope": scope,
                "rounds": len(device_rates),
                "tflops": quantile(device_rates, 0.5),
                "tflops_first": device_rates[0],
                "tflops_last": device_rates[-1],
            }
            for scope, device_rates in zip(context.scopes(), rates)
        ],
    }


def _operands(
    where: torch.device, size: int, kind: torch.dtype, seed: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two random matrices and room for their product.

    Random, because a product of ones or zeros toggles few transistors: it draws less power, so the
    clocks stay higher than any training would see.
    """
    import torch

    generator = torch.Generator(where).manual_seed(seed)
    left, right = (
        torch.randn(size, size, generator=generator, device=where, dtype=torch.float32).to(kind)
        for _ in range(2)
    )
    return left, right, torch.empty_like(left)


def _round(
    operands: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]], count: int
) -> list[float]:
    """Do ``count`` products on every device at once; seconds of each device."""
    import torch

    if operands[0][0].device.type == "cpu":
        left, right, product = operands[0]
        started = time.perf_counter()
        for _ in range(count):
            torch.matmul(left, right, out=product)
        return [time.perf_counter() - started]
    events = []
    for left, _, _ in operands:
        with torch.cuda.device(left.device):
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            events.append((begin, end))
    # Launching is asynchronous and takes microseconds: one thread keeps all GPUs busy.
    for _ in range(count):
        for left, right, product in operands:
            torch.matmul(left, right, out=product)
    for (left, _, _), (_, end) in zip(operands, events):
        with torch.cuda.device(left.device):
            end.record()
    seconds = []
    for begin, end in events:
        end.synchronize()
        seconds.append(begin.elapsed_time(end) / 1000)
    return seconds
