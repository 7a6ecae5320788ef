"""How fast bytes move: within the device's memory, from and to the host, between GPUs."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from gpulab_bench.context import Context
from gpulab_bench.measure import timer_for
from gpulab_bench.stats import quantile

if TYPE_CHECKING:
    import torch

# Far more than any cache holds. Host copies of this size reach the link's full rate.
GPU_BYTES = 1024**3
CPU_BYTES = 128 * 1024**2

WARMUP = 2
# Copies in a sample, so that starting one costs nothing beside them.
COPIES = 10


def run(context: Context) -> dict[str, Any]:
    """Copy buffers, one device at a time.

    GB/s are 10^9 bytes per second. A copy within a memory reads and writes every byte, and both
    count; a copy over a link counts once. The host's buffer is page-locked.

    Returns:
        The document's section ``memory_bandwidth``; ``h2d_gbs`` and ``d2h_gbs`` are null on a CPU,
        ``peer_gbs`` (the slowest of the copies to the other GPUs) where there is one GPU.
    """
    devices = context.devices()
    size = GPU_BYTES if context.on_gpu else CPU_BYTES
    found = []
    with context.window("memory_bandwidth"):
        for device, scope in zip(devices, context.scopes()):
            if context.stop.reason() is None:
                found.append({"scope": scope, **_rates(device, devices, size, context)})
    return {"bytes": size, "devices": found}


def _rates(
    device: torch.device, devices: list[torch.device], size: int, context: Context
) -> dict[str, float | None]:
    """Rates of one device."""
    import torch

    source = _random_bytes(size, device, context.order.seed)
    target = torch.empty_like(source)

    def rate(source: torch.Tensor, target: torch.Tensor) -> float:
        return _rate(source, target, device, context, len(devices))

    within = 2 * rate(source, target)
    if device.type == "cpu":
        return {"device_gbs": within, "h2d_gbs": None, "d2h_gbs": None, "peer_gbs": None}
    host = torch.empty(size, dtype=torch.uint8, pin_memory=True)
    others = [other for other in devices if other != device]
    peers = [rate(source, torch.empty_like(source, device=other)) for other in others]
    return {
        "device_gbs": within,
        "h2d_gbs": rate(host, target),
        "d2h_gbs": rate(source, host),
        "peer_gbs": min(peers, default=None),
    }


def _random_bytes(size: int, device: torch.device, seed: int) -> torch.Tensor:
    import torch

    generator = torch.Generator(device).manual_seed(seed)
    return torch.randint(256, (size,), generator=generator, device=device, dtype=torch.uint8)


def _rate(
    source: torch.Tensor,
    target: torch.Tensor,
    device: torch.device,
    context: Context,
    shares: int,
) -> float:
    """Median rate of a copy, in GB/s; it repeats for its share of the stage's seconds."""
    import torch

    seconds = []
    where = torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext()
    with where:
        timer = timer_for(device)
        for _ in range(WARMUP):
            target.copy_(source, non_blocking=True)
        started = time.monotonic()
        while True:
            timer.start()
            for _ in range(COPIES):
                target.copy_(source, non_blocking=True)
            seconds.append(timer.stop())
            spent = time.monotonic() - started
            if spent * 4 * shares > context.plan.seconds or context.stop.reason() is not None:
                break
    size: int = COPIES * source.numel()
    return size / quantile(seconds, 0.5) / 1e9
