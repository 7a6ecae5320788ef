"""Speed by model of GPU: matrix products, memory, host link, all-reduce.

Each check gives one finding per GPU that the table knows, and none for the others: their numbers
are in the metrics.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..finding import Finding, part
from .findings import finding, gpu_part
from .published import ALLREDUCE_GPUS, GEMM_SHARE, published
from .request import Request
from .result import applies, items_at, number_at, text_at

Result = Mapping[str, Any]

_HOT = (
    "look at gpu.throttle and gpu.temperature_load, for other jobs on the GPU and for a locked "
    "clock; if it stays slow, swap it with one that passes, and replace it if the fault moves too"
)
_MEMORY = (
    "read the GPU's memory clock, row-remap state and ECC counters (nvidia-smi -q -d "
    "CLOCK,ROW_REMAPPER,ECC); if they are good and it stays slow, replace the GPU"
)
_LINK = (
    "look at gpu.link_load: reseat the GPU, see whether its slot is bifurcated or shared, and "
    "whether the IOMMU or the CPU's power saving slows the link"
)
_FABRIC = (
    "read nvidia-smi topo -m and nvidia-smi nvlink -s: a link that is down, ACS on the PCIe "
    "switches or a stopped nvidia-fabricmanager makes GPUs talk over the CPU"
)


def gemm(result: Result, request: Request) -> list[Finding]:
    """Matrix products reach a share of what was published for this model."""
    return _each(
        result, request, "gemm", "gemm", "tflops", "gemm_tflops", "TFLOP/s", _HOT, GEMM_SHARE
    )


def memory_bandwidth(result: Result, request: Request) -> list[Finding]:
    """Copies within the GPU's memory reach the floor of this model."""
    return _each(
        result,
        request,
        "memory_bandwidth",
        "memory_bandwidth",
        "device_gbs",
        "memory_gbs",
        "GB/s",
        _MEMORY,
    )


def host_bandwidth(result: Result, request: Request) -> list[Finding]:
    """Copies from the host reach the floor of this model."""
    return _each(
        result, request, "host_bandwidth", "memory_bandwidth", "h2d_gbs", "h2d_gbs", "GB/s", _LINK
    )


def allreduce(result: Result, _request: Request) -> list[Finding]:
    """Eight GPUs of a model exchange at its floor."""
    gpus = items_at(result, "devices")
    rows = {published(text_at(gpu, "name")) for gpu in gpus}
    row = rows.pop() if len(rows) == 1 else None
    whole = len(gpus) == ALLREDUCE_GPUS and applies(result, "allreduce")
    if row is None or row.allreduce_gbs is None or not whole:
        return []
    which = part("gpu", f"{len(gpus)} x {text_at(gpus[0], 'name')}")
    value = number_at(result, "allreduce", "bus_gbs")
    return [_judge("allreduce", which, value, row.allreduce_gbs, "GB/s", _FABRIC)]


def _each(
    result: Result,
    request: Request,
    name: str,
    stage: str,
    key: str,
    column: str,
    unit: str,
    action: str,
    share: float = 1.0,
) -> list[Finding]:
    if not applies(result, stage):
        return []
    values = {
        text_at(one, "scope"): number_at(one, key) for one in items_at(result, stage, "devices")
    }
    findings = []
    for gpu in items_at(result, "devices"):
        row = published(text_at(gpu, "name"))
        number = getattr(row, column) if row else None
        if number is not None:
            value = values.get(f"gpu:{text_at(gpu, 'uuid')}")
            which = gpu_part(gpu, request)
            findings.append(_judge(name, which, value, share * number, unit, action))
    return findings


def _judge(
    name: str, which: Mapping[str, str], value: float | None, floor: float, unit: str, action: str
) -> Finding:
    status = "unknown" if value is None else "pass" if value >= floor else "fail"
    measured = "not measured" if value is None else f"{value:.4g} {unit}"
    return finding(
        name,
        status,
        which,
        observed=value,
        expected=round(floor, 1),
        unit=unit,
        evidence=f"{measured}; a healthy one reaches {floor:.4g} {unit}",
        action="" if value is None else action,
    )
