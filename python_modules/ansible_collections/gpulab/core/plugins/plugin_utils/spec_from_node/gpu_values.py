"""What a captured spec asks of GPUs: what all GPUs of the node have alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, TypeVar

Facts = Mapping[str, Any]
_Value = TypeVar("_Value")


def _gpus(facts: Facts) -> list[Mapping[str, Any]]:
    return (facts.get("nvidia") or {}).get("gpus") or []


def _alike(values: list[_Value]) -> _Value | None:
    """Return the value that all have, or None."""
    return values[0] if values and None not in values and len(set(values)) == 1 else None


def models(facts: Facts) -> list[str]:
    """Return the models by NVML's names, without the maker's."""
    names = {str(gpu.get("name") or "").removeprefix("NVIDIA ").strip() for gpu in _gpus(facts)}
    return sorted(name for name in names if name)


def _vbios(facts: Facts) -> list[str]:
    return sorted({gpu["vbios_version"] for gpu in _gpus(facts) if gpu["vbios_version"]})


def _nvlinks(facts: Facts) -> int | None:
    """Return the number of active links; none where no GPU has any, or one can't be read."""
    states = [[link["active"] for link in gpu["nvlinks"] or []] for gpu in _gpus(facts)]
    if any(None in links for links in states):
        return None
    return _alike([sum(links) for links in states]) or None


GPU_VALUES: dict[tuple[str, str], Callable[[Facts], Any]] = {
    ("gpu", "models"): models,
    ("gpu", "driver_version"): lambda facts: (facts.get("nvidia") or {}).get("module_version"),
    ("gpu", "cuda_version_min"): lambda facts: (facts.get("nvidia") or {}).get("cuda_version"),
    ("gpu", "vbios_versions"): _vbios,
    ("gpu", "power_limit_w"): lambda facts: _alike(
        [gpu["power"]["limit_w"] for gpu in _gpus(facts)]
    ),
    ("gpu", "link_width"): lambda facts: _alike([gpu["link"]["width_max"] for gpu in _gpus(facts)]),
    ("gpu", "link_generation"): lambda facts: _alike(
        [gpu["link"]["generation_max"] for gpu in _gpus(facts)]
    ),
    ("gpu", "nvlinks"): _nvlinks,
}
