# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The filter of the role framework."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..plugin_utils.frameworks.plan import wheelhouses


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return {filter name: function}."""
        return {"framework_wheelhouses": wheelhouses}
