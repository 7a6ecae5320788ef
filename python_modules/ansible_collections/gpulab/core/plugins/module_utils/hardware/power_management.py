"""How the processors choose their clock rate, and what the kernel reads the time from."""

from __future__ import annotations

import re
from typing import Any

from .sysfs import ProbeError, Tree

_CPUS = "sys/devices/system/cpu"
_CLOCK = "sys/devices/system/clocksource/clocksource0"


def read_power_management(tree: Tree) -> dict[str, Any]:
    """Return the frequency driver, the governors with their processors, and the clock sources.

    ``governors`` is null where the kernel has no say (no cpufreq: a virtual machine, or a firmware
    that keeps the clock rate to itself).

    Raises:
        ProbeError: There is no processor in /sys.
    """
    cpus = [name for name in tree.names(_CPUS) if re.fullmatch(r"cpu\d+", name)]
    if not cpus:
        raise ProbeError(f"/{_CPUS} shows no processor")
    governors: dict[str, int] = {}
    for cpu in cpus:
        governor = tree.text(f"{_CPUS}/{cpu}/cpufreq/scaling_governor")
        if governor:
            governors[governor] = governors.get(governor, 0) + 1
    return {
        "driver": tree.text(f"{_CPUS}/cpu0/cpufreq/scaling_driver") or None,
        "governors": governors or None,
        "clocksource": tree.text(f"{_CLOCK}/current_clocksource") or None,
        "clocksources": (tree.text(f"{_CLOCK}/available_clocksource") or "").split(),
    }
