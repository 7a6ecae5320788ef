# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The filters ``gpulab.core.nvidia_settings`` and ``nvidia_mig_is``: how GPUs are set."""

from __future__ import annotations

from typing import Any

from ..plugin_utils.gpu_software.settings import judge_settings, mig_is_laid_out


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {"nvidia_settings": judge_settings, "nvidia_mig_is": mig_is_laid_out}
