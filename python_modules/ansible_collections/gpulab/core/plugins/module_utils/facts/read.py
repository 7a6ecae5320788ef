"""Read the hardware of the node that this runs on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..hardware.nvml_library import find_pynvml
from ..hardware.sysfs import Tree
from .gather import gather


def read_hardware(
    limit_s: float | None = None,
    *,
    smart: bool = True,
    container_toolkit: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the facts of this machine, as `gather` does.

    Args:
        limit_s: Seconds after which a part is given up as unknown; None: each has its own limit.
        smart: Whether to ask the disks for their health, which opens them.
        container_toolkit: As the module ``hardware_info`` takes it; then containers are tried.
    """
    return gather(
        Tree("/"),
        deadline_s=limit_s,
        smart=smart,
        find_binding=find_pynvml,
        container_toolkit=container_toolkit,
    )
