"""Findings of the smoke benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.gpulab.core.plugins.module_utils.hardware.finding import Finding, part
from ansible_collections.gpulab.core.plugins.module_utils.smoke.request import Request
from ansible_collections.gpulab.core.plugins.module_utils.smoke.result import (
    section_at,
    text_at,
)

SOURCE = "gpulab_bench"

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
    severity: str = "fail",
) -> Finding:
    """Return a finding ``smoke.<name>``; a pass carries no action.

    Args:
        name: the gate.
        status: pass, warn, fail or unknown.
        which: the part that the finding speaks of.
        evidence: one line that shows why.
        action: what to do next.
        observed: the value found, or None.
        expected: the value required, or None.
        unit: of both.
        severity: what a failure weighs.
    """
    return {
        "id": f"smoke.{name}",
        "part": dict(which),
        "observed": observed,
        "expected": expected,
        "unit": unit,
        "source": SOURCE,
        "severity": severity,
        "status": status,
        "action": "" if status == "pass" else action,
        "evidence": " ".join(evidence.split()),
    }


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
