"""Read GPUs through NVML. The binding is an argument, so that tests pass a fake one.

What a board or its driver does not have is null and named in ``unsupported``; what could not be
read for another reason is null and has its reason in ``unread``. A binding or a driver that is
older than a function counts as not having it.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from .gpu_facts import event_reason_names, normal_bdf, real_serial, slowdown_limit
from .nvml_fabric import read_fabric
from .nvml_reader import Reader

# NVML_GPU_RECOVERY_ACTION_* -> the words of nvidia-smi (nvml.h of driver 615).
_RECOVERY_ACTIONS = {
    0: "None",
    1: "Reset",
    2: "Reboot",
    3: "Drain P2P",
    4: "Drain and Reset",
    5: "Recover IMEX Domain",
    6: "Bus Reset",
    7: "System Reboot",
}


class NvmlError(Exception):
    """NVML can't be used at all, or a GPU can't be reached; the message is NVML's."""


@contextlib.contextmanager
def session(nvml: ModuleType) -> Iterator[None]:
    """Initialise NVML and shut it down. The driver must be loaded: NVML would load it.

    Raises:
        NvmlError: NVML refuses.
    """
    try:
        nvml.nvmlInit()
    except (nvml.NVMLError, OSError) as error:
        raise NvmlError(str(error)) from error
    try:
        yield
    finally:
        with contextlib.suppress(nvml.NVMLError):
            nvml.nvmlShutdown()


def count(nvml: ModuleType) -> int:
    """Return how many GPUs NVML lists.

    Raises:
        NvmlError: It does not say.
    """
    try:
        return int(nvml.nvmlDeviceGetCount())
    except nvml.NVMLError as error:
        raise NvmlError(str(error)) from error


def handle_of(nvml: ModuleType, index: int) -> object:
    """Return NVML's handle of a GPU.

    Raises:
        NvmlError: The GPU can't be reached (it is lost, or needs a reset).
    """
    try:
        return nvml.nvmlDeviceGetHandleByIndex(index)
    except nvml.NVMLError as error:
        raise NvmlError(str(error)) from error


def cuda_version(nvml: ModuleType) -> str | None:
    """Return the newest CUDA that the driver supports, as ``13.0``."""
    try:
        version = int(nvml.nvmlSystemGetCudaDriverVersion())
    except nvml.NVMLError:
        return None
    return f"{version // 1000}.{version % 1000 // 10}"


def read_gpu(nvml: ModuleType, handle: object) -> dict[str, Any]:
    """Return the facts of one GPU, as ``hardware.schema.json`` has them under ``nvml_gpu``."""
    reader = Reader(nvml, handle)
    pci = reader.ask("bdf", "nvmlDeviceGetPciInfo")
    bus_id = getattr(pci, "busId", "") or ""
    bus_id = bus_id.decode() if isinstance(bus_id, bytes) else bus_id
    ecc = reader.ask("ecc", "nvmlDeviceGetEccMode") or (None, None)
    mig = reader.ask("mig", "nvmlDeviceGetMigMode") or (None, None)
    facts = {
        "bdf": normal_bdf(bus_id) if bus_id else None,
        "name": reader.text("name", "nvmlDeviceGetName"),
        "uuid": reader.text("uuid", "nvmlDeviceGetUUID"),
        "serial": real_serial(reader.text("serial", "nvmlDeviceGetSerial")),
        **read_memory(reader),
        "vbios_version": reader.text("vbios_version", "nvmlDeviceGetVbiosVersion"),
        "ecc": _switch(ecc[0]),
        "ecc_pending": _switch(ecc[1]),
        "mig": _switch(mig[0]),
        "persistence": _switch(reader.ask("persistence", "nvmlDeviceGetPersistenceMode")),
        "clocks_event_reasons": read_event_reasons(reader),
        "link": read_link(reader),
        "utilization": read_utilization(reader),
        "clocks": read_clocks(reader),
        "temperature": read_temperature(reader),
        "power": read_power(reader),
        **_read_processes(reader),
        "ecc_errors": _ecc_errors(reader),
        "remapped_rows": _remapped_rows(reader),
        "retired_pages": _retired_pages(reader),
        "repairs": _repairs(reader),
        "recovery_action": _recovery_action(reader),
        "nvlinks": read_nvlinks(reader),
        **read_fabric(reader),
    }
    return {
        **facts,
        "unsupported": sorted(reader.unsupported),
        "unread": reader.unread,
        "unlisted": {},
    }


def read_memory(reader: Reader) -> dict[str, Any]:
    """Return ``memory_bytes`` and ``memory_used_bytes``.

    Version 2 of NVML's answer keeps what the driver reserves for itself out of what is used.
    """
    found = reader.ask("memory_bytes", "nvmlDeviceGetMemoryInfo", reader.constant("nvmlMemory_v2"))
    if found is None:
        found = reader.ask("memory_bytes", "nvmlDeviceGetMemoryInfo")
    if found is not None:
        reader.has("memory_bytes")
    return {
        "memory_bytes": None if found is None else int(found.total),
        "memory_used_bytes": None if found is None else int(found.used),
    }


def read_event_reasons(reader: Reader) -> list[str] | None:
    """Return why the clocks are lowered now; the function got a new name at driver 535."""
    field = "clocks_event_reasons"
    mask = reader.ask(field, "nvmlDeviceGetCurrentClocksEventReasons")
    if mask is None:
        mask = reader.ask(field, "nvmlDeviceGetCurrentClocksThrottleReasons")
    if mask is None:
        return None
    reader.has(field)
    return event_reason_names(int(mask))


def read_link(reader: Reader) -> dict[str, int | None]:
    """Return the PCIe link as it is now, and the most that board and slot can do together."""
    return {
        "width": reader.ask("link.width", "nvmlDeviceGetCurrPcieLinkWidth"),
        "width_max": reader.ask("link.width_max", "nvmlDeviceGetMaxPcieLinkWidth"),
        "generation": reader.ask("link.generation", "nvmlDeviceGetCurrPcieLinkGeneration"),
        "generation_max": reader.ask("link.generation_max", "nvmlDeviceGetMaxPcieLinkGeneration"),
    }


def read_utilization(reader: Reader) -> int | None:
    """Return the share of time, in percent, in which a kernel ran."""
    found = reader.ask("utilization", "nvmlDeviceGetUtilizationRates")
    return None if found is None else int(found.gpu)


def read_clocks(reader: Reader) -> dict[str, int | None]:
    """Return the clocks in MHz, now and at most."""
    sm, memory = reader.constant("NVML_CLOCK_SM"), reader.constant("NVML_CLOCK_MEM")
    return {
        "sm_mhz": reader.ask("clocks.sm_mhz", "nvmlDeviceGetClockInfo", sm),
        "sm_max_mhz": reader.ask("clocks.sm_max_mhz", "nvmlDeviceGetMaxClockInfo", sm),
        "memory_mhz": reader.ask("clocks.memory_mhz", "nvmlDeviceGetClockInfo", memory),
        "memory_max_mhz": reader.ask("clocks.memory_max_mhz", "nvmlDeviceGetMaxClockInfo", memory),
    }


def read_temperature(reader: Reader) -> dict[str, float | None]:
    """Return temperatures and limits in °C."""
    now = reader.ask(
        "temperature.gpu_c", "nvmlDeviceGetTemperature", reader.constant("NVML_TEMPERATURE_GPU")
    )
    slowdown = _threshold(reader, "slowdown_c", "NVML_TEMPERATURE_THRESHOLD_SLOWDOWN")
    margin = None
    if slowdown is None:
        margin = reader.ask("temperature.margin_c", "nvmlDeviceGetMarginTemperature")
    return {
        "gpu_c": now,
        "slowdown_c": slowdown_limit(slowdown, now, margin),
        "memory_c": reader.value("temperature.memory_c", "NVML_FI_DEV_MEMORY_TEMP") or None,
        "memory_max_c": _threshold(reader, "memory_max_c", "NVML_TEMPERATURE_THRESHOLD_MEM_MAX"),
    }


def _threshold(reader: Reader, field: str, name: str) -> int | None:
    found = reader.ask(
        f"temperature.{field}", "nvmlDeviceGetTemperatureThreshold", reader.constant(name)
    )
    # Boards that tell no limit may say 0.
    return int(found) if found else None


def read_power(reader: Reader) -> dict[str, float | None]:
    """Return draw and limits in watts; ``limit_w`` is the one that is enforced."""
    least, most = reader.ask("power.limits", "nvmlDeviceGetPowerManagementLimitConstraints") or (
        None,
        None,
    )
    return {
        "draw_w": reader.watts("power.draw_w", "nvmlDeviceGetPowerUsage"),
        "limit_w": reader.watts("power.limit_w", "nvmlDeviceGetEnforcedPowerLimit"),
        "limit_default_w": reader.watts(
            "power.limit_default_w", "nvmlDeviceGetPowerManagementDefaultLimit"
        ),
        "limit_min_w": None if least is None else least / 1000,
        "limit_max_w": None if most is None else most / 1000,
    }


def read_nvlinks(reader: Reader) -> list[dict[str, Any]] | None:
    """Return the NVLinks by number: ``active``, speed in MB/s, error counters.

    None where the board has no NVLink, or NVML tells of none; ``active`` is null for a link that it
    can't read, and says nothing of the others.
    """
    links: list[dict[str, Any]] = []
    reasons: dict[int, str] = {}
    for link in range(reader.constant("NVML_NVLINK_MAX_LINKS") or 18):
        field = f"nvlinks.{link}"
        state = reader.ask(field, "nvmlDeviceGetNvLinkState", link)
        reason = reader.has(field)
        if state is None and not reason:
            # The first number past the last link is an invalid argument, as on a board without any.
            break
        if state is None:
            reasons[link] = reason
        active = None if state is None else bool(state)
        links.append(
            {
                "link": link,
                "active": active,
                "mb_per_s": _nvlink_speed(reader, link) if active else None,
                "errors": read_nvlink_errors(reader, link) if active else None,
            }
        )
    if reasons:
        reader.note("nvlinks", next(iter(reasons.values())))
    elif not links:
        reader.note("nvlinks", "")
    return None if len(reasons) == len(links) else links


def _nvlink_speed(reader: Reader, link: int) -> int | None:
    """Return a link's speed in MB/s; drivers before 470 have a field for each link instead."""
    field = "nvlinks.mb_per_s"
    speed = reader.value(field, "NVML_FI_DEV_NVLINK_GET_SPEED", link)
    if speed is None:
        speed = reader.value(field, f"NVML_FI_DEV_NVLINK_SPEED_MBPS_L{link}")
    if speed is not None:
        reader.has(field)
    return speed


def read_nvlink_errors(reader: Reader, link: int) -> dict[str, int] | None:
    """Return a link's counters of replayed and failed transfers; None where none can be read."""
    counters = {}
    for name in ("replay", "recovery", "crc_flit"):
        counter = reader.constant(f"NVML_NVLINK_ERROR_DL_{name.upper()}")
        found = reader.ask("nvlinks.errors", "nvmlDeviceGetNvLinkErrorCounter", link, counter)
        if found is not None:
            counters[name] = int(found)
    return counters or None


def _read_processes(reader: Reader) -> dict[str, Any]:
    """Return ``processes``, those that compute, and ``drawing``, those that only draw."""
    computing = reader.ask("processes", "nvmlDeviceGetComputeRunningProcesses")
    drawing = reader.ask("drawing", "nvmlDeviceGetGraphicsRunningProcesses")
    pids = {int(one.pid) for one in computing or []}
    only = _processes([one for one in drawing or [] if int(one.pid) not in pids])
    return {
        "processes": None if computing is None else _processes(computing),
        "drawing": [{**one, "name": reader.program(one["pid"])} for one in only] or None,
    }


def _processes(found: list[Any]) -> list[dict[str, Any]]:
    return [
        {"pid": int(one.pid), "memory_bytes": one.usedGpuMemory}
        for one in sorted(found, key=lambda process: int(process.pid))
    ]


def _ecc_errors(reader: Reader) -> dict[str, Any]:
    counts = {}
    for since in ("volatile", "aggregate"):
        for kind in ("corrected", "uncorrected"):
            counts[f"{since}_{kind}"] = reader.ask(
                "ecc_errors",
                "nvmlDeviceGetTotalEccErrors",
                reader.constant(f"NVML_MEMORY_ERROR_TYPE_{kind.upper()}"),
                reader.constant(f"NVML_{since.upper()}_ECC"),
            )
    counts["volatile_uncorrected_least"] = counts["volatile_uncorrected"]
    structure = reader.constant("c_nvmlEccSramErrorStatus_v1_t")
    exceeded = None
    if structure is not None:
        status, field = structure(), "ecc_errors.sram_threshold_exceeded"
        # These two functions of the binding pass on what they get: it must be a reference.
        reference = ctypes.byref(status)
        if reader.ask(field, "nvmlDeviceGetSramEccErrorStatus", reference) is not None:
            exceeded = bool(status.bThresholdExceeded)
    return {**counts, "sram_threshold_exceeded": exceeded}


def _remapped_rows(reader: Reader) -> dict[str, Any] | None:
    found = reader.ask("remapped_rows", "nvmlDeviceGetRemappedRows")
    if found is None:
        return None
    corrected, uncorrected, pending, failure = found
    return {
        "corrected": corrected,
        "uncorrected": uncorrected,
        "pending": bool(pending),
        "failure": bool(failure),
    }


def _retired_pages(reader: Reader) -> dict[str, Any] | None:
    causes = {
        "corrected": "NVML_PAGE_RETIREMENT_CAUSE_MULTIPLE_SINGLE_BIT_ECC_ERRORS",
        "uncorrected": "NVML_PAGE_RETIREMENT_CAUSE_DOUBLE_BIT_ECC_ERROR",
    }
    found: dict[str, Any] = {}
    for kind, cause in causes.items():
        pages = reader.ask("retired_pages", "nvmlDeviceGetRetiredPages", reader.constant(cause))
        found[kind] = None if pages is None else len(pages)
    pending = reader.ask("retired_pages.pending", "nvmlDeviceGetRetiredPagesPendingStatus")
    found["pending"] = _switch(pending)
    return None if all(value is None for value in found.values()) else found


def _repairs(reader: Reader) -> dict[str, bool | None]:
    """Return the repairs that drivers since 575 tell; each is null where there is no such thing."""
    status = reader.ask("repairs.channel_pending", "nvmlDeviceGetRepairStatus") or (None, None)
    reader.same("repairs.tpc_pending", "repairs.channel_pending")
    # nvidia-smi tells it. The binding's structure (13.615) has a version that the library's has not
    # (nvml.h 590), so what it returns is 0 whatever the board says.
    reader.note("repairs.unrepairable_memory", "")
    return {
        "channel_pending": _switch(status[0]),
        "tpc_pending": _switch(status[1]),
        "bank_pending": _switch(
            reader.value("repairs.bank_pending", "NVML_FI_DEV_PENDING_BANK_REMAPPING")
        ),
        "unrepairable_memory": None,
    }


def _recovery_action(reader: Reader) -> str | None:
    """Return what the driver asks for, in nvidia-smi's words; drivers before 570 tell two flags."""
    field = "recovery_action"
    action = reader.value(field, "NVML_FI_DEV_GET_GPU_RECOVERY_ACTION")
    if action is not None:
        return _RECOVERY_ACTIONS.get(action, f"action {action}")
    flags = {
        name: reader.value(f"{field}.{name}", constant)
        for name, constant in (
            ("Reset", "NVML_FI_DEV_RESET_STATUS"),
            ("Drain and Reset", "NVML_FI_DEV_DRAIN_AND_RESET_STATUS"),
        )
    }
    for name in flags:
        reader.has(f"{field}.{name}")
    asked = [name for name, flag in flags.items() if flag]
    if not asked and None in flags.values():
        return None
    reader.has(field)
    return asked[0] if asked else "None"


def _switch(value: int | None) -> bool | None:
    return None if value is None else bool(value)
