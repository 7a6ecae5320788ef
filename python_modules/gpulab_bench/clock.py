"""Times of consecutive steps, taken without waiting for any of them."""

from __future__ import annotations

import time

import torch


class CpuClock:
    """Wall-clock time of each step."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._began = 0.0
        self._step_s: list[float] = []

    def begin(self) -> None:
        """Begin a step."""
        self._began = time.perf_counter()

    def end(self) -> None:
        """End it."""
        self._step_s.append(time.perf_counter() - self._began)

    def read(self) -> list[float]:
        """Seconds of the steps since the last reading, in order."""
        done, self._step_s = self._step_s, []
        return done


class CudaClock:
    """Time of each step on the GPU's own clock, between two events of its stream."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._events: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []

    def begin(self) -> None:
        """Begin a step."""
        pair = (torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True))
        pair[0].record()
        self._events.append(pair)

    def end(self) -> None:
        """End it, without waiting for the GPU to get there."""
        self._events[-1][1].record()

    def read(self) -> list[float]:
        """Wait for the steps since the last reading and return their seconds, in order."""
        done, self._events = self._events, []
        if done:
            done[-1][1].synchronize()
        return [begin.elapsed_time(end) / 1000 for begin, end in done]


def clock_for(device: torch.device) -> CpuClock | CudaClock:
    """The clock of a device."""
    return CudaClock() if device.type == "cuda" else CpuClock()
