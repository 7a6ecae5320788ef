# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The filters of GPU software: which a node gets, what its driver needs, why packages failed."""

from __future__ import annotations

from typing import Any

from ..plugin_utils.gpu_software.driver_node import bootable_kernels
from ..plugin_utils.gpu_software.driver_state import driver_state
from ..plugin_utils.gpu_software.package_failure import package_failure
from ..plugin_utils.gpu_software.resolve import make_plan


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {
            "nvidia_plan": make_plan,
            "nvidia_driver_state": driver_state,
            "bootable_kernels": bootable_kernels,
            "package_failure": package_failure,
        }
