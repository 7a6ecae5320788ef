"""Step times and peak memory, each from the best source that the device has."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import torch


class CpuTimer:
    """Wall-clock time of a step."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._started = 0.0

    def start(self) -> None:
        """Begin a step."""
        self._started = time.perf_counter()

    def stop(self) -> float:
        """Seconds since ``start``."""
        return time.perf_counter() - self._started


class CudaTimer:
    """Time of a step on the GPU's own clock, between two events of its stream."""

    def __init__(self) -> None:
        """Make the events."""
        self._begin = torch.cuda.Event(enable_timing=True)
        self._end = torch.cuda.Event(enable_timing=True)

    def start(self) -> None:
        """Begin a step."""
        self._begin.record()

    def stop(self) -> float:
        """Wait for the step and return its seconds."""
        self._end.record()
        self._end.synchronize()
        milliseconds: float = self._begin.elapsed_time(self._end)
        return milliseconds / 1000


def timer_for(device: torch.device) -> CpuTimer | CudaTimer:
    """The timer of a device."""
    return CudaTimer() if device.type == "cuda" else CpuTimer()


def reset_peaks(device: torch.device) -> None:
    """Forget the memory that earlier work of this process needed, on the host and on the GPU."""
    # 5 resets VmHWM (proc_pid_clear_refs(5)); where the kernel lacks it the peak is the process's.
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def parse_vm_hwm(status: str) -> int | None:
    """Peak resident size in bytes from the text of ``/proc/<pid>/status``, or None."""
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None


def host_peak_bytes() -> int | None:
    """Peak resident size of this process, in bytes; None where /proc has no VmHWM."""
    try:
        return parse_vm_hwm(Path("/proc/self/status").read_text(encoding="ascii"))
    except OSError:
        return None


def gpu_peak_bytes(device: torch.device) -> int | None:
    """Most bytes that tensors held on the GPU (``max_memory_allocated``); None on a CPU."""
    if device.type != "cuda":
        return None
    peak: int = torch.cuda.max_memory_allocated(device)
    return peak
