# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The filter ``gpulab.core.nvidia_plan``: which GPU software a node gets."""

from __future__ import annotations

from typing import Any

from ..plugin_utils.gpu_software.resolve import make_plan


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {"nvidia_plan": make_plan}
