# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The filter ``gpulab.core.time_zone_problem``: the same rule as preflight's."""

from __future__ import annotations

from typing import Any

from ..plugin_utils.declaration.time_zones import time_zone_mistake


def time_zone_problem(name: str) -> str:
    """Say why not every supported release knows a time zone; "" when each does."""
    wrong, right = time_zone_mistake(str(name))
    return wrong and f"{wrong}: {right}"


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {"time_zone_problem": time_zone_problem}
