"""Findings of the benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..finding import Finding, part
from .catalogue import BENCHMARK_CHECKS
from .request import Request
from .result import section_at, text_at

_CHECKS = {check.id: check for check in BENCHMARK_CHECKS}

PYTORCH = part("framework", "PyTorch")
NODE = part("node")
MEMORY = part("memory")

REBUILD = (
    "rebuild PyTorch's environment: ansible-playbook site.yml --tags frameworks --limit <node>"
)


def finding(
    name: str,
    status: str,
    which: Mapping[str, str],
    *,
    evidence: str,
    action: str = "",
    observed: object = None,
    expected: object = None,
    unit: str = "",
    stage: str = "",
) -> Finding:
    """Return a finding of the check ``benchmark.<name>``.

    Args:
        name: the check, as the catalogue declares it.
        status: pass, warn, fail or unknown.
        which: the part that the finding speaks of.
        evidence: what shows why; put into one line.
        action: what to do next; where it is unknown, the check's own stands in.
        observed: the value found, or None.
        expected: the value required, or None.
        unit: of both.
        stage: what the check's ``<stage>`` is.
    """
    return _CHECKS[f"benchmark.{name}"].finding(
        status,
        which,
        observed,
        expected,
        unit=unit,
        evidence=" ".join(evidence.split()),
        action=action,
        name=stage,
    )


def bus_gpu_part(gpu: Mapping[str, Any]) -> dict[str, str]:
    """Return the part for a GPU as the PCI bus shows it."""
    return part("gpu", gpu.get("name"), bdf=gpu.get("bdf"), slot=gpu.get("slot"))


def gpu_part(gpu: Mapping[str, Any], request: Request) -> dict[str, str]:
    """Return the part for a GPU as the document's ``devices`` has it, with its slot."""
    bdf = text_at(gpu, "bdf")
    slots = [seen.get("slot") for seen in request.bus_gpus or () if seen.get("bdf") == bdf]
    return part(
        "gpu",
        text_at(gpu, "name"),
        bdf=bdf,
        slot=slots[0] if slots else "",
        uuid=text_at(gpu, "uuid"),
    )


def trained_on(result: Mapping[str, Any], request: Request) -> dict[str, str]:
    """Return the part that did the training: the GPU with its slot, or the CPU.

    Wrong numbers on a GPU point to that GPU; on a CPU they point to it as well, since this
    benchmark trains well on every healthy one.
    """
    if text_at(result, "device", "type") != "cuda":
        return part("cpu", text_at(result, "device", "name"))
    return gpu_part(section_at(result, "device"), request)
