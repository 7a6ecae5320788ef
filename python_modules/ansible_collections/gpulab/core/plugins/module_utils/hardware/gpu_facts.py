"""The facts of one GPU, in one shape whoever tells them: NVML (nvml.py) or nvidia-smi."""

from __future__ import annotations

# Bits of NVML's clocks event reasons (nvml.h 615, nvmlClocksEventReason*; before driver 535
# nvmlClocksThrottleReason*), by the names that nvidia-smi gives them. Several may be set at once.
EVENT_REASONS = {
    0x001: "gpu_idle",
    0x002: "applications_clocks_setting",
    0x004: "sw_power_cap",
    0x008: "hw_slowdown",
    0x010: "sync_boost",
    0x020: "sw_thermal_slowdown",
    0x040: "hw_thermal_slowdown",
    0x080: "hw_power_brake_slowdown",
    0x100: "display_clocks_setting",
    # Driver 615.
    0x200: "board_limit",
    0x400: "reliability",
}


MIB = 1024 * 1024
# What the driver says of the fabric's health (driver 570; the last three 580, 595, 615), by the
# names of nvidia-smi's elements; the summary is first.
FABRIC_HEALTH = (
    "summary",
    "bandwidth",
    "route_recovery_in_progress",
    "route_unhealthy",
    "access_timeout_recovery",
    "incorrect_configuration",
    "partition_assigned",
    "gfm_state",
)


def event_reason_names(mask: int) -> list[str]:
    """Return the sorted names of the bits that are set; a bit without a name keeps its value."""
    bits = [1 << place for place in range(mask.bit_length()) if mask >> place & 1]
    return sorted(EVENT_REASONS.get(bit, f"0x{bit:x}") for bit in bits)


def program_name(command: str | None) -> str | None:
    """Return the name of a program: the last part of its path, without arguments."""
    path = (command or "").partition(" ")[0]
    return path.rpartition("/")[2] or None


def normal_bdf(text: str) -> str:
    """Return NVML's address (00000000:3B:00.0) as sysfs writes it (0000:3b:00.0)."""
    domain, _, rest = text.strip().lower().partition(":")
    return f"{domain.lstrip('0').rjust(4, '0')}:{rest}"


def real_serial(serial: str | None) -> str | None:
    """Return a board's serial number; all zeros (consumer boards, clouds that hide it) is none."""
    return serial if serial and serial.strip("0") else None


def slowdown_limit(
    threshold: float | None, now: float | None, margin: float | None
) -> float | None:
    """Return the temperature in °C at which a GPU slows itself down.

    Since Ada and Hopper boards tell no such threshold, but how far from it they are (T.Limit).
    """
    if threshold is not None or now is None or margin is None:
        return threshold
    return now + margin
