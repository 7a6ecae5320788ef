"""Read through NVML whether a GPU has joined the NVSwitch fabric, and how the fabric is."""

from __future__ import annotations

import ctypes
from typing import Any

from .gpu_facts import FABRIC_HEALTH
from .nvml_reader import Reader

_STATES = {0: "not_supported", 1: "not_started", 2: "in_progress", 3: "completed"}
_SUMMARIES = {1: "Healthy", 2: "Unhealthy", 3: "Limited Capacity"}
# NVML_GPU_FABRIC_HEALTH_MASK_* of nvml.h (driver 615): place and width of each part of the mask in
# bits, and nvidia-smi's words for its values; 0 is not supported. By the names of FABRIC_HEALTH.
_RECOVERS = {1: "True", 2: "False"}
_MASK: dict[str, tuple[int, int, dict[int, str]]] = {
    "bandwidth": (0, 2, {1: "Degraded", 2: "Full"}),
    "route_recovery_in_progress": (2, 2, _RECOVERS),
    "route_unhealthy": (4, 2, _RECOVERS),
    "access_timeout_recovery": (6, 2, _RECOVERS),
    "incorrect_configuration": (
        8,
        4,
        {
            1: "None",
            2: "Incorrect SystemGuid",
            3: "Incorrect Chassis Serial Number",
            4: "No Partition",
            5: "Insufficient Nvlinks",
            6: "Incompatible GPU Firmware",
            7: "Invalid Location",
            8: "GPU State Invalid",
        },
    ),
    "partition_assigned": (12, 2, _RECOVERS),
    "gfm_state": (14, 2, {1: "Connected", 2: "Disconnected"}),
}
# The newest form of the answer first; the first one is deprecated since CUDA 13.
_FORMS = (
    ("nvmlDeviceGetGpuFabricInfoV", "c_nvmlGpuFabricInfo_v3_t"),
    ("nvmlDeviceGetGpuFabricInfoV", "c_nvmlGpuFabricInfo_v2_t"),
    ("nvmlDeviceGetGpuFabricInfo", "c_nvmlGpuFabricInfo_t"),
)


def read_fabric(reader: Reader) -> dict[str, Any]:
    """Return ``fabric_state``, ``fabric_health`` and ``fabric_cluster`` of a GPU."""
    info = _info(reader)
    state = None if info is None else _state(info)
    health = None if info is None or state is None else _health(info)
    return {
        "fabric_state": state,
        "fabric_health": health,
        "fabric_cluster": None if info is None or state is None else _cluster(info),
    }


def _info(reader: Reader) -> ctypes.Structure | None:
    for function, name in _FORMS:
        structure = reader.constant(name)
        if structure is None:
            reader.note("fabric_state", "")
            continue
        info: ctypes.Structure = structure()
        # These functions of the binding pass on what they get: it must be a reference.
        if reader.ask("fabric_state", function, ctypes.byref(info)) is not None:
            reader.has("fabric_state")
            return info
    return None


def _state(info: ctypes.Structure) -> str | None:
    state = _STATES.get(int(info.state), f"state {int(info.state)}")
    if state == "not_supported":
        return None
    status = int(info.status)
    return state if status == 0 else f"{state} with NVML error {status}"


def _health(info: ctypes.Structure) -> dict[str, str] | None:
    words: dict[str, str] = {}
    summary, mask = int(getattr(info, "healthSummary", 0)), int(getattr(info, "healthMask", 0))
    if summary:
        words[FABRIC_HEALTH[0]] = _SUMMARIES.get(summary, f"summary {summary}")
    for name, (place, width, values) in _MASK.items():
        value = mask >> place & (1 << width) - 1
        if value:
            words[name] = values.get(value, f"value {value}")
    return words or None


def _cluster(info: ctypes.Structure) -> str | None:
    raw = bytes(getattr(info, "clusterUuid", b""))
    if not any(raw):
        return None
    digits = raw.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
