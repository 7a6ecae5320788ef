# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The filter ``gpulab.core.preflight_table``: the preflight of all nodes on one page."""

from __future__ import annotations

from typing import Any

from ..plugin_utils.preflight.table import table


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {"preflight_table": table}
