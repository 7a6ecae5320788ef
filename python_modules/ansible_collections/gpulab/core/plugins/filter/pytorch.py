"""Filters of the role pytorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.gpulab.core.plugins.plugin_utils.pytorch_plan import (
    make_plan,
    stale,
    wheelhouses,
)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return {filter name: function}."""
        return {
            "pytorch_plan": make_plan,
            "pytorch_wheelhouses": wheelhouses,
            "pytorch_stale_wheelhouses": stale,
        }
