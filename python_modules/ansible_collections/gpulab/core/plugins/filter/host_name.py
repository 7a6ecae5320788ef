# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The filters ``host_label`` and ``host_name_problem``: the same rule as preflight's."""

from __future__ import annotations

from typing import Any

from ..plugin_utils.declaration.host_names import (
    LONGEST_OF_KERNEL,
    RIGHT,
    host_name_problem,
    label,
)


def kernel_name_problem(name: str) -> str:
    """Say why a machine can't take this as its host name, and what it can take; "" when it can."""
    problem = host_name_problem(str(name), LONGEST_OF_KERNEL)
    return problem and f"{problem}: {RIGHT}"


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {"host_label": label, "host_name_problem": kernel_name_problem}
