"""Nodes for the GPU checks: sound ones read in every way, and one for each fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fake_nvml import fake_nvml
from gpu_boards import H100, L40S, Board, smi_tools
from hardware_machines import (
    EIGHT_H100,
    TWO_A100,
    Machine,
    boards,
    cpus,
    gpu,
    kernel_log,
    module,
    software,
)

from ansible_collections.gpulab.core.plugins.module_utils.hardware.tools import ToolResult

# With fewer processors than the node that it is of: there is one tree for each fault.
_FILES = {
    **{path: file for path, file in TWO_A100.files.items() if "system/cpu/cpu" not in path},
    **cpus(1, 16, 1),
}
TWO = ("0000:01:00.0", "0000:41:00.0")
A100 = boards(TWO, Board())
OLD_DRIVER = "470.256.02"


def two(
    *changed: Board, nvml: bool = False, driver: str = "580.65.06", log: Sequence[str] = ()
) -> Machine:
    """The node with two GPUs, read by nvidia-smi or NVML, with these boards and log lines."""
    found = list(changed) or A100
    return Machine(
        {**_FILES, **module(driver)},
        {**TWO_A100.tools, **software(driver), **smi_tools(found, driver), **kernel_log(*log)},
        binding=fake_nvml(found) if nvml else None,
    )


def second(**changes: object) -> tuple[Board, Board]:
    """Two A100, the second of which differs."""
    return A100[0], replace(A100[1], **changes)


_XID = "NVRM: Xid (PCI:0000:41:00): "
_CUT = (25000,) * 11 + (12500,)
_DOWN = (25000,) * 11 + (None,)
# Fault -> boards and lines of the kernel log, and the checks that fail and that warn.
FAULTS: dict[str, tuple[tuple[Board, ...], tuple[str, ...], set[str], set[str]]] = {
    "x8-link": (second(width=8), (), set(), {"gpu.link"}),
    "row-remap-failure": (
        second(remapped=(0, 8, False, True)),
        (_XID + "64, pid=1, name=python, Row remapper error",),
        {"gpu.row_remap", "gpu.xid"},
        set(),
    ),
    "row-remap-pending": (second(remapped=(0, 1, True, False)), (), {"gpu.row_remap"}, set()),
    "uncorrected-ecc": (second(uncorrected=2), (), {"gpu.ecc_errors"}, set()),
    "sram-threshold": (second(sram_exceeded=True), (), {"gpu.ecc_errors"}, set()),
    "hardware-slowdown": (second(reasons=0x8), (), set(), {"gpu.clocks"}),
    # With the bits of a power cap and an idle GPU: no comparison with one of them would see it.
    "thermal-slowdown": (
        second(reasons=0x65, gpu_c=92),
        (),
        set(),
        {"gpu.clocks", "gpu.temperature"},
    ),
    "hot-memory": (second(memory_c=93), (), set(), {"gpu.temperature"}),
    "narrowed-nvlink": (second(nvlinks=_CUT), (), {"gpu.nvlink"}, set()),
    "nvlink-down": (second(nvlinks=_DOWN), (), {"gpu.nvlink"}, set()),
    "xid-79": ((), (_XID + "79, pid=1, GPU has fallen off the bus.",), {"gpu.xid"}, set()),
    "xid-48": ((), (_XID + "48, pid=2109, name=python, DBE at 0x2",), {"gpu.xid"}, set()),
    "xid-94": ((), (_XID + "94, Contained: SM (0x1)",), set(), {"gpu.xid"}),
    "xid-154": (
        (),
        (
            _XID + "31, pid=7, name=python, MMU Fault",
            _XID + "154, GPU recovery action changed from 0x0 (None) to 0x2 (Node Reboot Required)",
        ),
        {"gpu.xid"},
        set(),
    ),
    "ecc-off": (
        second(ecc=False, ecc_pending=False),
        (),
        {"gpu.ecc_mode"},
        set(),
    ),
    "ecc-after-reboot": (second(ecc=True, ecc_pending=False), (), {"gpu.ecc_mode"}, set()),
    "power-limited": (second(limit_w=250.0), (), {"gpu.power_limit"}, set()),
    "busy": (second(used_mib=517, processes=((4242, 510),)), (), set(), {"gpu.idle"}),
    "held-memory": (second(used_mib=16), (), set(), {"gpu.idle"}),
}

_L40S_FILES = {path: file for bdf in TWO for path, file in gpu(bdf, "0x26b9").items()}
GPU_MACHINES = {
    "two-a100-nvml": two(nvml=True),
    "two-a100-470": two(driver=OLD_DRIVER),
    "two-a100-nvml-470": replace(
        two(driver=OLD_DRIVER),
        binding=fake_nvml(
            A100,
            without=(
                "nvmlDeviceGetCurrentClocksEventReasons",
                "nvmlMemory_v2",
                "NVML_FI_DEV_NVLINK_GET_SPEED",
                "nvmlDeviceGetMarginTemperature",
                "nvmlDeviceGetSramEccErrorStatus",
                "c_nvmlGpuFabricInfo_t",
            ),
        ),
    ),
    "two-l40s": replace(two(*boards(TWO, L40S)), files={**two().files, **_L40S_FILES}),
    "eight-h100-nvml": replace(
        EIGHT_H100,
        binding=fake_nvml(
            boards(
                tuple(
                    f"0000:{bus}:00.0" for bus in ("1b", "43", "52", "61", "9d", "c3", "d1", "df")
                ),
                H100,
            )
        ),
    ),
    "two-a100-containers": replace(
        TWO_A100,
        tools={**TWO_A100.tools, "podman": ToolResult(0, "podman version 4.9.3\n")},
        containers=(["podman: a container sees 2 GPU(s)"], []),
    ),
    "odd-vbios": two(*second(vbios="92.00.19.00.10")),
    **{
        f"{fault}{suffix}": two(*changed, nvml=bool(suffix), log=log)
        for fault, (changed, log, _, _) in FAULTS.items()
        for suffix in ("", "-nvml")
    },
}
