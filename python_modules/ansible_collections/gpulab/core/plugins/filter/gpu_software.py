# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The filters of the GPU software's roles: what a node gets, needs, has, and what is wrong."""

from __future__ import annotations

from typing import Any

from ..plugin_utils.gpu_software.container_toolkit import container_notes, container_toolkit
from ..plugin_utils.gpu_software.cuda_packages import cuda_packages
from ..plugin_utils.gpu_software.dcgm import dcgm_plan, dcgm_verdict
from ..plugin_utils.gpu_software.debian_components import debian_components
from ..plugin_utils.gpu_software.driver_node import bootable_kernels
from ..plugin_utils.gpu_software.driver_state import driver_state
from ..plugin_utils.gpu_software.module_failure import module_failure
from ..plugin_utils.gpu_software.package_failure import package_failure
from ..plugin_utils.gpu_software.resolve import make_plan
from ..plugin_utils.gpu_software.settings import judge_settings, mig_is_laid_out
from ..plugin_utils.gpu_software.upgrade_failure import upgrade_failure
from ..plugin_utils.install.apt_sources import apt_source_conflicts


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {
            "apt_source_conflicts": apt_source_conflicts,
            "bootable_kernels": bootable_kernels,
            "container_notes": container_notes,
            "container_toolkit": container_toolkit,
            "cuda_packages": cuda_packages,
            "dcgm_plan": dcgm_plan,
            "dcgm_verdict": dcgm_verdict,
            "debian_components": debian_components,
            "nvidia_driver_state": driver_state,
            "nvidia_mig_is": mig_is_laid_out,
            "nvidia_module_failure": module_failure,
            "nvidia_plan": make_plan,
            "nvidia_settings": judge_settings,
            "package_failure": package_failure,
            "upgrade_failure": upgrade_failure,
        }
