"""Cases of the checks of GPUs, on facts and under load."""

from __future__ import annotations

from typing import Any

from case import GIB, Case, Change, put, unread

# NVML itself, and nvidia-smi, of drivers since 535 and before it.
EVERY_FORMAT = ("two-a100-nvml", "two-a100-nvml-470", "two-a100-470")
_SOUND = {"gpu": {"count": 2}}


def nvml(*path: Any, value: object) -> Change:
    """Return a change of NVML's view of the second GPU."""
    return put("nvidia", "gpus", 1, *path, value=value)


def refused(field: str, *paths: tuple[str, ...]) -> Change:
    """Return the change that an error of NVML makes: the field is null and says why."""

    def change(facts: dict[str, Any]) -> None:
        for path in paths or ((field,),):
            nvml(*path, value=None)(facts)
        nvml("unread", field, value="Unknown Error")(facts)

    return change


def event(code: int, asks: str = "reset", **more: object) -> Change:
    """Return a change that puts an Xid of the second GPU into the kernel's log."""
    found = {"kind": "xid", "bdf": "0000:41:00.0", "code": code, "class": asks, "text": ""}
    return put("kernel_log", "events", value=[{**found, "count": 1, **more}])


def sample(*path: Any, value: object) -> Change:
    """Return a change of the telemetry of the second GPU."""
    return put("gpus", 1, *path, value=value)


def _all_gone(telemetry: dict[str, Any]) -> None:
    telemetry.update(source="none", reason="pynvml and nvidia-smi are missing", gpus=[])


_OUTSIDE = (unread("gpus"), unread("nvidia"), put("nvidia", "gpus", value=None))
_IDLE = sample("event_reasons", "gpu_idle", value=300)
# What makes every check under load unknown: nothing was sampled, or not this GPU.
_NOT_SAMPLED = (
    _all_gone,
    lambda telemetry: telemetry["gpus"].pop(),
    sample("samples", value=0),
)

CASES = {
    "gpu.count": Case(
        {"gpu": {"count": 2}},
        (
            put("gpus", 0, "vendor_id", value="0x1002"),
            put("gpus", value=[]),
        ),
        (unread("gpus"),),
    ),
    "gpu.model": Case(
        {"gpu": {"models": ["A100"]}},
        (put("nvidia", "gpus", 0, "name", value="NVIDIA A10"),),
        (
            unread("gpus"),
            lambda facts: (
                put("gpus", 0, "name", value=None)(facts),
                put("nvidia", "gpus", 0, "name", value=None)(facts),
            ),
        ),
        formats=EVERY_FORMAT,
    ),
    "gpu.memory": Case(
        {"gpu": {"memory_gib_min": 80}},
        # 80 GiB less 7 % is 74.4.
        (put("nvidia", "gpus", 1, "memory_bytes", value=int(74.3 * GIB)),),
        (
            unread("gpus"),
            unread("nvidia"),
            put("nvidia", "gpus", 1, "memory_bytes", value=None),
            put("nvidia", "gpus", value=None),
        ),
        formats=EVERY_FORMAT,
    ),
    "gpu.driver": Case(
        {"gpu": {"count_min": 2}},
        (
            put("gpus", 1, "driver", value="nouveau"),
            put("gpus", 1, "driver", value="NovaCore"),
            put("gpus", 1, "driver", value="nova_core"),
            put("gpus", 1, "driver", value="vfio-pci"),
            put("gpus", 1, "driver", value=None),
            put("nvidia", "library_version", value="580.95.05"),
            put("nvidia", "lost", value=["0000:41:00.0"]),
            put("nvidia", "gpus", value=[]),
        ),
        (unread("gpus"), unread("nvidia"), put("nvidia", "gpus", value=None)),
    ),
    "gpu.software": Case(
        {"gpu": {"count_min": 1}},
        (
            put("gpu_software", "module_loaded", value="580.95.05"),
            put("gpu_software", "module_on_disk", value="580.95.05"),
            put("gpu_software", "library", value="580.95.05"),
            put("gpu_software", "fabricmanager", value="580.95.05"),
            put("gpu_software", "dcgm", value=["4.4.1", "4.5.0"]),
            put("gpu_software", "half_configured", value=["nvidia-open"]),
            put("gpu_software", "nvswitches", value=4),
        ),
        (
            unread("gpu_software"),
            put("gpu_software", "unread", value={"packages": "the database is locked"}),
            put("gpu_software", "unread", value={"module": "modinfo: it hung"}),
            put("gpu_software", "module_on_disk", value=None),
        ),
    ),
    "gpu.power_limit": Case(
        {"gpu": {"power_limit_w": 400}},
        (nvml("power", "limit_w", value=250.0), nvml("power", "limit_w", value=401.1)),
        (*_OUTSIDE, refused("power.limit_w", ("power", "limit_w"))),
        formats=EVERY_FORMAT,
    ),
    "gpu.driver_version": Case(
        {"gpu": {"driver_version": "580.65.06"}},
        (
            put("nvidia", "module_version", value="580.65.05"),
            put("nvidia", "module_version", value="580.65.061"),
        ),
        (unread("nvidia"), put("nvidia", "module_version", value=None)),
    ),
    "gpu.cuda_version": Case(
        {"gpu": {"cuda_version_min": "12.8"}},
        (
            put("nvidia", "cuda_version", value="12.7"),
            # As text 12.10 would be lower than 12.8, and 9.0 higher.
            put("nvidia", "cuda_version", value="9.0"),
        ),
        (unread("nvidia"), put("nvidia", "cuda_version", value=None)),
        formats=EVERY_FORMAT,
    ),
    "gpu.vbios": Case(
        {"gpu": {"vbios_versions": ["92.00.36.00.02", "92.00.45.00.03"]}},
        (nvml("vbios_version", value="92.00.19.00.10"),),
        (*_OUTSIDE, refused("vbios_version")),
        formats=EVERY_FORMAT,
    ),
    "gpu.ecc_mode": Case(
        {"gpu": {"models": ["A100"]}},
        (nvml("ecc", value=False), nvml("ecc_pending", value=False)),
        (*_OUTSIDE, refused("ecc"), nvml("ecc_pending", value=None)),
        formats=EVERY_FORMAT,
    ),
    "gpu.containers": Case(
        {"gpu": {"containers": True}},
        (
            put(
                "gpu_container",
                value={
                    "asked": True,
                    "tried": True,
                    "proved": [],
                    "problems": ["podman: 1 of 2 GPUs"],
                },
            ),
        ),
        (
            unread("gpu_container"),
            lambda facts: facts["gpu_container"].update(tried=False, proved=["2 GPUs are listed"]),
            lambda facts: facts["gpu_container"].update(asked=False, tried=False, proved=[]),
        ),
        machine="two-a100-containers",
    ),
    "gpu.recovery": Case(
        _SOUND,
        (
            nvml("recovery_action", value="Node Reboot"),
            nvml("recovery_action", value="a word of next year"),
            nvml("unread", value={"temperature.gpu_c": "GPU requires reset"}),
        ),
        (*_OUTSIDE, refused("recovery_action")),
        formats=("two-a100-nvml",),
    ),
    "gpu.xid": Case(
        _SOUND,
        (
            event(79, "reboot"),
            event(48),
            event(54, "isolate"),
            event(12028, kind="sxid"),
            # Of a GPU that is no longer on the bus.
            event(79, "reboot", bdf="0000:81:00.0"),
        ),
        (unread("kernel_log"), unread("gpus")),
    ),
    "gpu.ecc_errors": Case(
        _SOUND,
        (
            nvml("ecc_errors", "volatile_uncorrected", value=1),
            nvml("ecc_errors", "sram_threshold_exceeded", value=True),
        ),
        (
            *_OUTSIDE,
            refused("ecc_errors", ("ecc_errors", "volatile_uncorrected")),
            # ECC is off: nothing is counted on a board that could.
            lambda facts: (
                nvml("ecc", value=False)(facts),
                nvml("ecc_errors", "volatile_uncorrected", value=None)(facts),
                nvml("unsupported", value=["ecc_errors"])(facts),
            ),
        ),
        formats=EVERY_FORMAT,
    ),
    "gpu.row_remap": Case(
        _SOUND,
        (
            nvml("remapped_rows", "failure", value=True),
            nvml("remapped_rows", "pending", value=True),
        ),
        (
            *_OUTSIDE,
            refused("remapped_rows"),
            nvml("remapped_rows", "failure", value=None),
            nvml("remapped_rows", "pending", value=None),
        ),
        formats=EVERY_FORMAT,
    ),
    "gpu.temperature": Case(
        _SOUND,
        (
            nvml("temperature", "gpu_c", value=89),
            nvml("temperature", "memory_c", value=91),
        ),
        (
            *_OUTSIDE,
            lambda facts: (
                refused("temperature.gpu_c", ("temperature", "gpu_c"))(facts),
                nvml("temperature", "memory_c", value=None)(facts),
            ),
        ),
        formats=EVERY_FORMAT,
    ),
    "gpu.clocks": Case(
        _SOUND,
        tuple(
            nvml("clocks_event_reasons", value=["gpu_idle", reason, "sw_power_cap"])
            for reason in (
                "hw_slowdown",
                "hw_thermal_slowdown",
                "hw_power_brake_slowdown",
                "sw_thermal_slowdown",
            )
        ),
        (*_OUTSIDE, refused("clocks_event_reasons")),
        formats=EVERY_FORMAT,
    ),
    "gpu.idle": Case(
        _SOUND,
        (
            nvml("memory_used_bytes", value=15 * 1024**2 + 1),
            nvml("processes", value=[{"pid": 1, "memory_bytes": None}]),
        ),
        (*_OUTSIDE, refused("processes"), refused("memory_used_bytes")),
        formats=("two-a100-nvml", "two-a100-470"),
    ),
    "gpu.link": Case(
        {"gpu": {"link_width": 16}},
        (nvml("link", "width", value=8),),
        (
            unread("gpus"),
            lambda facts: (
                nvml("link", "width", value=None)(facts),
                put("gpus", 1, "link", "width", value=None)(facts),
            ),
        ),
        formats=EVERY_FORMAT,
    ),
    "gpu.nvlink": Case(
        _SOUND,
        (
            nvml("nvlinks", 11, "active", value=False),
            nvml("nvlinks", 11, "mb_per_s", value=12500),
            lambda facts: facts["nvidia"]["gpus"][1]["nvlinks"].pop(),
        ),
        (*_OUTSIDE, refused("nvlinks"), nvml("nvlinks", 11, "mb_per_s", value=None)),
        formats=EVERY_FORMAT,
    ),
    "gpu.fabric_manager": Case(
        {"gpu": {"count": 8}},
        (
            put("gpu_fabric", "fabric_manager", value="inactive"),
            put("gpu_fabric", "fabric_manager", value="failed"),
            put("gpu_software", "fabricmanager", value="570.86.10"),
            nvml("fabric_state", value="in_progress"),
            nvml("fabric_state", value="completed with NVML error 999"),
        ),
        (
            unread("gpu_fabric"),
            lambda facts: facts["gpu_fabric"].update(fabric_manager=None, reason="no systemd"),
        ),
        machine="eight-h100",
        formats=("eight-h100-nvml",),
    ),
    "gpu.gpudirect": Case(
        {"gpu": {"gpudirect": True}},
        (put("gpu_fabric", "dma_buf", value=False),),
        (unread("gpu_fabric"), put("gpu_fabric", "dma_buf", value=None)),
    ),
}

LOAD_CASES = {
    "gpu.throttle": Case(
        _SOUND,
        (
            sample("event_reasons", "hw_slowdown", value=1),
            sample("event_reasons", "hw_thermal_slowdown", value=3),
            sample("event_reasons", "hw_power_brake_slowdown", value=300),
            # 100 % utilisation at 510 MHz, whatever the reason.
            sample("sm_clock_mhz", "median", value=510),
        ),
        (
            *_NOT_SAMPLED,
            sample("event_reasons", value=None),
            _IDLE,
            sample("sm_clock_mhz", value=None),
            sample("sm_clock_max_mhz", value=None),
        ),
    ),
    "gpu.link_load": Case(
        {"gpu": {"link_width": 16, "link_generation": 4}},
        (
            sample("link", "width", value=8),
            sample("link", "generation", value=3),
            # What can't be sampled hides nothing that is known.
            lambda telemetry: (
                sample("link", "width", value=8)(telemetry),
                sample("link", "generation", value=None)(telemetry),
            ),
        ),
        (
            *_NOT_SAMPLED,
            sample("link", value=None),
            sample("link", "width", value=None),
            lambda telemetry: (
                sample("link", "generation", value=1)(telemetry),
                _IDLE(telemetry),
            ),
        ),
    ),
    "gpu.nvlink_errors": Case(
        _SOUND,
        (
            sample("nvlink_errors", "after", "3", value=1),
            lambda telemetry: (
                sample("nvlink_errors", "after", "3", value=1)(telemetry),
                telemetry["gpus"][1]["nvlink_errors"]["after"].pop("4"),
            ),
        ),
        (
            *_NOT_SAMPLED,
            sample("nvlink_errors", value=None),
            sample("nvlink_errors", value={"before": {}, "after": {}}),
            sample("nvlink_errors", "before", "3", value=1),
            _IDLE,
        ),
    ),
    "gpu.temperature_load": Case(
        _SOUND,
        (sample("temperature_c", value=89), sample("memory_temperature_c", value=91)),
        (
            *_NOT_SAMPLED,
            lambda telemetry: telemetry["gpus"][1].update(
                temperature_c=None, memory_temperature_c=None
            ),
            lambda telemetry: telemetry["gpus"][1].update(slowdown_c=None, memory_max_c=None),
            _IDLE,
        ),
    ),
}
