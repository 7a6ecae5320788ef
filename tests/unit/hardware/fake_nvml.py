"""A fake of NVIDIA's binding `pynvml`: the names, results and errors of nvidia-ml-py 13."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

from gpu_boards import Board

MIB = 1024 * 1024
# What the driver keeps for itself; version 1 of the answer counts it as used.
RESERVED_MIB = 640
INVALID_ARGUMENT, NOT_SUPPORTED, DRIVER_NOT_LOADED, GPU_IS_LOST, UNKNOWN = 2, 3, 9, 15, 999
RESET_REQUIRED = 16
_WORDS = {
    INVALID_ARGUMENT: "Invalid Argument",
    NOT_SUPPORTED: "Not Supported",
    4: "Insufficient Permissions",
    DRIVER_NOT_LOADED: "Driver Not Loaded",
    13: "Function Not Found",
    GPU_IS_LOST: "GPU is lost",
    RESET_REQUIRED: "GPU requires restart",
    18: "RM has detected an NVML/RM version mismatch.",
    UNKNOWN: "Unknown Error",
}
# The fields of the links' speeds before there was one field with a scope.
_SPEEDS = (*range(84, 90), *range(132, 138))
CONSTANTS = {
    "NVML_ERROR_NOT_SUPPORTED": NOT_SUPPORTED,
    "NVML_ERROR_FUNCTION_NOT_FOUND": 13,
    "NVML_ERROR_INVALID_ARGUMENT": INVALID_ARGUMENT,
    "NVML_ERROR_ARGUMENT_VERSION_MISMATCH": 25,
    "NVML_CLOCK_SM": 1,
    "NVML_CLOCK_MEM": 2,
    "NVML_TEMPERATURE_GPU": 0,
    "NVML_TEMPERATURE_THRESHOLD_SLOWDOWN": 1,
    "NVML_TEMPERATURE_THRESHOLD_MEM_MAX": 2,
    "NVML_FI_DEV_MEMORY_TEMP": 82,
    **{f"NVML_FI_DEV_NVLINK_SPEED_MBPS_L{link}": field for link, field in enumerate(_SPEEDS)},
    "NVML_FI_DEV_NVLINK_GET_SPEED": 164,
    "NVML_FI_DEV_GET_GPU_RECOVERY_ACTION": 230,
    "NVML_NVLINK_MAX_LINKS": 36,
    "NVML_NVLINK_ERROR_DL_REPLAY": 0,
    "NVML_NVLINK_ERROR_DL_RECOVERY": 1,
    "NVML_NVLINK_ERROR_DL_CRC_FLIT": 2,
    "NVML_MEMORY_ERROR_TYPE_CORRECTED": 0,
    "NVML_MEMORY_ERROR_TYPE_UNCORRECTED": 1,
    "NVML_VOLATILE_ECC": 0,
    "NVML_AGGREGATE_ECC": 1,
    "NVML_PAGE_RETIREMENT_CAUSE_MULTIPLE_SINGLE_BIT_ECC_ERRORS": 0,
    "NVML_PAGE_RETIREMENT_CAUSE_DOUBLE_BIT_ECC_ERROR": 1,
    "nvmlMemory_v2": 0x02000028,
}
# What a GPU that fell off the bus still answers: NVML knew it before.
_KNOWN_BEFORE = ("PciInfo", "Name", "UUID")
_ACTIONS = ("None", "Reset", "Reboot", "Drain P2P", "Drain and Reset")
_FABRIC_STATES = {"Not Started": 1, "In Progress": 2, "Completed": 3}


class NVMLError(Exception):
    """As the binding's: an error code with NVML's words."""

    value = UNKNOWN

    def __str__(self) -> str:
        """Return NVML's words."""
        return _WORDS.get(self.value, f"NVML Error with code {self.value}")


# The binding makes a subclass for each code (NVMLError_NotSupported, NVMLError_GpuIsLost, …).
ERRORS = {
    code: type(f"NVMLError_{words.title().replace(' ', '')}", (NVMLError,), {"value": code})
    for code, words in _WORDS.items()
}


def _had(value: Any) -> Any:  # noqa: ANN401 - any field of a board
    """Return what the board has; raise as NVML does for what it has not."""
    if value is None:
        raise ERRORS[NOT_SUPPORTED]
    return value


def _memory(board: Board, version: int | None = None) -> SimpleNamespace:
    used = board.used_mib if version else board.used_mib + RESERVED_MIB
    return SimpleNamespace(total=board.memory_mib * MIB, used=used * MIB)


def _nvlink_state(board: Board, link: int) -> int:
    if link >= len(board.nvlinks):
        raise ERRORS[INVALID_ARGUMENT if board.nvlinks else NOT_SUPPORTED]
    return int(board.nvlinks[link] is not None)


def _field_values(board: Board, wanted: list) -> list[SimpleNamespace]:
    field, scope = wanted[0] if isinstance(wanted[0], tuple) else (wanted[0], None)
    if field == CONSTANTS["NVML_FI_DEV_MEMORY_TEMP"]:
        value = board.memory_c
    elif field == CONSTANTS["NVML_FI_DEV_GET_GPU_RECOVERY_ACTION"]:
        value = None if board.recovery is None else _ACTIONS.index(board.recovery)
    elif scope is None:
        value = board.nvlinks[_SPEEDS.index(field)]
    else:
        value = board.nvlinks[scope]
    status = NOT_SUPPORTED if value is None else 0
    union = SimpleNamespace(uiVal=value or 0, ullVal=0)
    return [SimpleNamespace(fieldId=field, nvmlReturn=status, valueType=1, value=union)]


class SramStatus(ctypes.Structure):
    """c_nvmlEccSramErrorStatus_v1_t, of which one field is used."""

    _fields_ = (("bThresholdExceeded", ctypes.c_uint),)


class FabricInfo(ctypes.Structure):
    """c_nvmlGpuFabricInfo_t, of which two fields are used."""

    _fields_ = (("status", ctypes.c_uint), ("state", ctypes.c_ubyte))


def _referred(reference: Any) -> Any:  # noqa: ANN401 - ctypes has no name for a reference's type
    """Return what a reference points to; the binding would crash on the structure itself."""
    if isinstance(reference, ctypes.Structure):
        raise TypeError("a structure by value: the library writes to a random address")
    return reference._obj


def _sram(board: Board, status: object) -> int:
    _referred(status).bThresholdExceeded = int(_had(board.sram_exceeded if board.ecc else None))
    return 0


def _fabric(board: Board, info: object) -> int:
    _referred(info).state = _FABRIC_STATES[_had(board.fabric)]
    return 0


_ECC = {0: "corrected", 1: "uncorrected"}
# nvmlDeviceGet<name> -> what it returns for a board.
ANSWERS: dict[str, Callable[..., Any]] = {
    "PciInfo": lambda b: SimpleNamespace(busId=f"0000{b.bdf.upper()}".encode()),
    "Name": lambda b: b.name,
    "UUID": lambda b: b.uuid.encode(),
    "Serial": lambda b: b.board_serial,
    "VbiosVersion": lambda b: b.vbios,
    "MemoryInfo": _memory,
    "EccMode": lambda b: [int(_had(b.ecc)), int(_had(b.ecc_pending))],
    "MigMode": lambda b: [int(b.mig), int(b.mig)],
    "PersistenceMode": lambda _b: 1,
    "CurrentClocksEventReasons": lambda b: b.reasons,
    "CurrentClocksThrottleReasons": lambda b: b.reasons,
    "CurrPcieLinkWidth": lambda b: b.width,
    "MaxPcieLinkWidth": lambda b: b.width_max,
    "CurrPcieLinkGeneration": lambda b: b.generation,
    "MaxPcieLinkGeneration": lambda b: b.generation_max,
    "UtilizationRates": lambda _b: SimpleNamespace(gpu=0, memory=0),
    "ClockInfo": lambda b, kind: {1: 210, 2: b.memory_mhz}[kind],
    "MaxClockInfo": lambda b, kind: {1: b.sm_max_mhz, 2: b.memory_mhz}[kind],
    "Temperature": lambda b, _sensor: b.gpu_c,
    "TemperatureThreshold": lambda b, which: _had({1: b.slowdown_c, 2: b.memory_max_c}[which]),
    "MarginTemperature": lambda b: _had(b.margin_c),
    "PowerUsage": lambda _b: 61200,
    "EnforcedPowerLimit": lambda b: round(b.limit_w * 1000),
    "PowerManagementDefaultLimit": lambda b: round(b.default_w * 1000),
    "PowerManagementLimitConstraints": lambda b: [100000, round(b.default_w * 1000)],
    "ComputeRunningProcesses": lambda b: [
        SimpleNamespace(pid=pid, usedGpuMemory=mib * MIB) for pid, mib in b.processes
    ],
    "GraphicsRunningProcesses": lambda b: [
        SimpleNamespace(pid=pid, usedGpuMemory=mib * MIB) for pid, _, mib in b.drawing
    ],
    "TotalEccErrors": lambda b, kind, _since: _had(getattr(b, _ECC[kind]) if b.ecc else None),
    "SramEccErrorStatus": _sram,
    "RemappedRows": lambda b: tuple(int(value) for value in _had(b.remapped)),
    "RetiredPages": lambda b, cause: list(range(_had(b.retired)[cause])),
    "RetiredPagesPendingStatus": lambda b: int(_had(b.retired)[2]),
    "NvLinkState": _nvlink_state,
    "NvLinkErrorCounter": lambda b, link, counter: 0 if counter else b.replays.get(link, 0),
    "GpuFabricInfo": _fabric,
    "FieldValues": _field_values,
}


def fake_nvml(
    boards: Sequence[Board],
    *,
    without: Sequence[str] = (),
    broken: Mapping[str, int] | None = None,
    init: int = 0,
    unreachable: Sequence[int] = (),
) -> ModuleType:
    """Return the module.

    Args:
        boards: The GPUs.
        without: Names that this version of the binding does not have.
        broken: Function -> error code that it gives for every GPU.
        init: Error code of nvmlInit.
        unreachable: Indices of GPUs whose handle can't be had.
    """
    nvml = ModuleType("pynvml")
    sessions: list[str] = []

    def start() -> None:
        if init:
            raise ERRORS[init]
        sessions.append("init")

    def handle(index: int) -> Board:
        if index in unreachable:
            raise ERRORS[GPU_IS_LOST]
        return boards[index]

    def asked(name: str, answer: Callable[..., Any]) -> Callable[..., Any]:
        def ask(board: Board, *arguments: Any) -> Any:  # noqa: ANN401 - as the binding's
            code = (broken or {}).get(f"nvmlDeviceGet{name}")
            if code or (board.lost and name not in _KNOWN_BEFORE):
                raise ERRORS[code or GPU_IS_LOST]
            return answer(board, *arguments)

        return ask

    names: dict[str, Any] = {
        **CONSTANTS,
        "NVMLError": NVMLError,
        "c_nvmlEccSramErrorStatus_v1_t": SramStatus,
        "c_nvmlGpuFabricInfo_t": FabricInfo,
        "nvmlInit": start,
        "nvmlShutdown": lambda: sessions.append("shutdown"),
        "nvmlSystemGetCudaDriverVersion": lambda: 13000,
        "nvmlSystemGetProcessName": lambda wanted: next(
            f"/usr/lib/xorg/{name}"
            for board in boards
            for pid, name, _ in board.drawing
            if pid == wanted
        ),
        "nvmlDeviceGetCount": lambda: len(boards),
        "nvmlDeviceGetHandleByIndex": handle,
        "sessions": sessions,
        **{f"nvmlDeviceGet{name}": asked(name, answer) for name, answer in ANSWERS.items()},
    }
    for name, value in names.items():
        if name not in without:
            setattr(nvml, name, value)
    return nvml
