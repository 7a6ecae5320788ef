# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The filter ``gpulab.core.slurm_wanted``: which nodes have to be out of service in Slurm."""

from __future__ import annotations

from typing import Any

from ..plugin_utils.slurm.wanted import wanted


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {"slurm_wanted": wanted}
