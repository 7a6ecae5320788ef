"""Sample GPUs and host in a thread of the supervisor, beside the workers that put load on them."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any, Callable, Protocol

from gpulab_bench import telemetry
from gpulab_bench.counters import Usage


class Source(Protocol):
    """Where samples come from; see `gpulab_bench.gpu_source`."""

    name: str
    reason: str

    def identify(self) -> list[dict[str, Any]]:
        """Each GPU's names and NVLinks."""

    def sample(self) -> list[dict[str, Any]]:
        """Each GPU's state now."""

    def close(self) -> None:
        """Let go of it."""


class Sampler:
    """Samples from `start` to `stop`."""

    def __init__(self, source: Source, usage: Usage) -> None:
        """Take the first reading of what is compared before and after."""
        self._source = source
        self._usage = usage
        self._samples: list[telemetry.Sample] = []
        self._ended = threading.Event()
        self._failure = ""
        self._before = self._ask(source.identify)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(
        self, results: Mapping[str, Mapping[str, Any]]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """End, and sum up.

        Args:
            results: what the workers left of each stage, for the times in which they worked.

        Returns:
            The document's sections ``telemetry`` and ``usage``.
        """
        self._ended.set()
        # nvidia-smi may take its time.
        self._thread.join(2)
        after: list[dict[str, Any]] = []
        if not self._thread.is_alive():
            after = self._ask(self._source.identify)
            self._source.close()
        summary = telemetry.summarise(
            list(self._samples),
            telemetry.windows_of(results),
            source=self._source.name,
            reason=self._failure or self._source.reason,
            before=self._before,
            after=after,
        )
        return summary, self._usage.summarise()

    def _run(self) -> None:
        while not self._ended.wait(telemetry.INTERVAL_S):
            self._usage.observe()
            gpus = [] if self._failure else self._ask(self._source.sample)
            if gpus:
                self._samples.append((time.monotonic(), gpus))

    def _ask(self, question: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
        try:
            return question()
        except Exception as error:  # a library that fails must not cost the run its numbers
            self._failure = f"sampling failed: {type(error).__name__}: {error}"
            return []
