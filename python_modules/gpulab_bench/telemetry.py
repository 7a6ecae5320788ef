"""The document's section ``telemetry``: what samples of the GPUs amount to. Pure functions.

A sample is the time (CLOCK_MONOTONIC) and a list of GPUs, each with the facts that
`gpulab_bench.gpu_source` reads. Only samples within a stage's window count, and of these, for each
GPU, only those in which it worked: while one GPU trains, the others idle at low clocks, and that is
no fault.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from gpulab_bench.stats import quantile

INTERVAL_S = 0.2

IDLE = "gpu_idle"
REASONS = (
    "sw_power_cap",
    "hw_slowdown",
    "sw_thermal_slowdown",
    "hw_thermal_slowdown",
    "hw_power_brake_slowdown",
    "sync_boost",
    IDLE,
    "applications_clocks_setting",
)

Gpu = Mapping[str, Any]
Sample = tuple[float, Sequence[Gpu]]


class Window(NamedTuple):
    """A span of time in which devices worked.

    Attributes:
        name: on what.
        started: CLOCK_MONOTONIC.
        ended: the same clock.
        scopes: of the devices that worked.
    """

    name: str
    started: float
    ended: float
    scopes: tuple[str, ...]

    def holds(self, at: float, gpu: Gpu) -> bool:
        """Whether a sample of a GPU falls into this window."""
        return self.started <= at <= self.ended and f"gpu:{gpu.get('uuid')}" in self.scopes


def windows_of(results: Mapping[str, Mapping[str, Any]]) -> list[Window]:
    """The windows in what the workers left of each stage."""
    return [
        Window(name, window["started"], window["ended"], tuple(window["scopes"]))
        for result in results.values()
        for name, window in result["windows"].items()
    ]


def summarise(
    samples: Sequence[Sample],
    windows: Sequence[Window],
    *,
    source: str,
    reason: str,
    before: Sequence[Gpu] = (),
    after: Sequence[Gpu] = (),
) -> dict[str, Any]:
    """Sum samples up.

    Args:
        samples: in order of time.
        windows: in which the GPUs worked.
        source: ``nvml``, ``nvidia-smi`` or ``none``.
        reason: why nothing was read, or ''.
        before: the GPUs with their ``nvlinks``, read before the first stage.
        after: the same, after the last one.
    """
    uuids = list(dict.fromkeys(gpu.get("uuid") for _, gpus in samples for gpu in gpus))
    links_before, links_after = (
        {gpu.get("uuid"): link_errors(gpu.get("nvlinks")) for gpu in gpus}
        for gpus in (before, after)
    )
    return {
        "interval_s": INTERVAL_S,
        "source": source,
        "reason": reason,
        "gpus": [
            {
                **_gpu(
                    [(at, gpu) for at, gpus in samples for gpu in gpus if gpu["uuid"] == uuid],
                    windows,
                ),
                "nvlink_errors": _delta(links_before.get(uuid), links_after.get(uuid)),
            }
            for uuid in uuids
        ],
    }


def link_errors(links: Iterable[Mapping[str, Any]] | None) -> dict[str, int] | None:
    """Sum of the error counters of each active NVLink, by its number; None where none is known."""
    if links is None:
        return None
    return {
        str(link["link"]): sum(link["errors"].values())
        for link in links
        if link.get("active") and link.get("errors") is not None
    } or None


def _delta(
    before: dict[str, int] | None, after: dict[str, int] | None
) -> dict[str, dict[str, int]] | None:
    return None if before is None or after is None else {"before": before, "after": after}


def _gpu(samples: list[tuple[float, Gpu]], windows: Sequence[Window]) -> dict[str, Any]:
    """Sum up the samples of one GPU."""
    within = [gpu for at, gpu in samples if any(window.holds(at, gpu) for window in windows)]
    loaded = [gpu for gpu in within if works(gpu)] or within
    last = samples[-1][1]
    clocks = _numbers(loaded, "clocks", "sm_mhz")
    power = _numbers(loaded, "power", "draw_w")
    return {
        **{name: str(last.get(name) or "") for name in ("bdf", "uuid", "serial", "name")},
        "samples": len(loaded),
        "event_reasons": _reasons(loaded),
        "sm_clock_mhz": {
            "min": min(clocks),
            "median": quantile(clocks, 0.5),
            "max": max(clocks),
        }
        if clocks
        else None,
        "sm_clock_max_mhz": _highest(loaded, "clocks", "sm_max_mhz"),
        "link": _link(loaded),
        "temperature_c": _highest(loaded, "temperature", "gpu_c"),
        "memory_temperature_c": _highest(loaded, "temperature", "memory_c"),
        "slowdown_c": _last(loaded, "temperature", "slowdown_c"),
        "memory_max_c": _last(loaded, "temperature", "memory_max_c"),
        "power_w": {"mean": sum(power) / len(power), "max": max(power)} if power else None,
        "power_limit_w": _last(loaded, "power", "limit_w"),
        "utilization": {
            name: utilization(samples, [window for window in windows if window.name == name])
            for name in ("train", "inference")
        },
        "memory_used_bytes": _highest(loaded, "memory_used_bytes"),
        "memory_total_bytes": _last(loaded, "memory_bytes"),
    }


def works(gpu: Gpu) -> bool:
    """Whether a GPU had something to do: the driver does not call it idle, and a kernel ran.

    A GPU of which neither is known counts as working.
    """
    if IDLE in (gpu.get("clocks_event_reasons") or ()):
        return False
    return gpu.get("utilization") != 0


def utilization(samples: Sequence[tuple[float, Gpu]], windows: Sequence[Window]) -> float | None:
    """Mean share of time in which a kernel ran, in percent, over all samples in these windows.

    None where there is none: NVML's own figure covers up to a second, so a window of a few tenths
    may hold no sample at all.
    """
    found = [
        gpu["utilization"]
        for at, gpu in samples
        if gpu.get("utilization") is not None and any(window.holds(at, gpu) for window in windows)
    ]
    return sum(found) / len(found) if found else None


def _reasons(loaded: Sequence[Gpu]) -> dict[str, int] | None:
    known = [
        gpu["clocks_event_reasons"] for gpu in loaded if gpu["clocks_event_reasons"] is not None
    ]
    if not known:
        return None
    counted = Counter(name for names in known for name in names)
    return {**dict.fromkeys(REASONS, 0), **counted}


def _link(loaded: Sequence[Gpu]) -> dict[str, int | None] | None:
    keys = ("width", "width_max", "generation", "generation_max")
    link = {key: max(_numbers(loaded, "link", key), default=None) for key in keys}
    return None if all(value is None for value in link.values()) else link


def _numbers(gpus: Sequence[Gpu], *path: str) -> list[Any]:
    """The values at a path, of the GPUs that have one."""
    found = []
    for gpu in gpus:
        value: Any = gpu
        for key in path:
            value = (value or {}).get(key)
        if value is not None:
            found.append(value)
    return found


def _highest(gpus: Sequence[Gpu], *path: str) -> float | None:
    return max(_numbers(gpus, *path), default=None)


def _last(gpus: Sequence[Gpu], *path: str) -> float | None:
    found = _numbers(gpus, *path)
    return found[-1] if found else None
