"""The spec of the node that a task runs for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.template import Templar

from ..checks.node_spec import VARIABLES, NodeSpec, node_spec


def spec_of_task(templar: Templar, task_vars: Mapping[str, Any]) -> NodeSpec:
    """Return what the task's node is held against.

    Args:
        templar: The action's.
        task_vars: The task's variables.

    Raises:
        SpecError: The spec is not declared, or malformed.
    """
    declared = {name: templar.template(task_vars[name]) for name in VARIABLES if name in task_vars}
    return node_spec(declared)
