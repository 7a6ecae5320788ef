"""What a node is held against, whoever asks: verify, sweep, benchmark and pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .specs import Spec, resolve_spec

#: The name of what a node is held against for which no hardware is declared.
NO_SPEC = "none"
#: The variables of a node that decide on its spec.
VARIABLES = ("group_names", "node_hardware_spec", "lab_hardware_specs", "node_gpu")

_COMPUTE = "compute"
_COMPUTE_SPEC = "compute-minimum"
# Without a declaration: its clock; its record has a warning as well.
_UNDECLARED: Spec = {"description": "No hardware is declared", "clock": {"synchronised": True}}
# What a node declares of its GPUs' settings (node_gpu), and a spec can require.
_SETTINGS = ("power_limit_w", "ecc", "gpudirect")


class NodeSpec(NamedTuple):
    """What one node must be: the spec's name, and its requirements with all that it inherits."""

    name: str
    requirements: Spec


def node_spec(variables: Mapping[str, Any]) -> NodeSpec:
    """Return what a node is held against.

    That is its ``node_hardware_spec``; without one a compute node has the built-in
    ``compute-minimum``, and any other node ``none``: its clock alone. How the node's GPUs are set
    (``node_gpu``) is required of them, whatever the spec says, since the stage ``gpu`` sets it; a
    spec that asks nothing of GPUs stays as it is.

    Args:
        variables: The node's Ansible variables, templated; `VARIABLES` are read.

    Raises:
        SpecError: The spec is not declared, or malformed.
    """
    default = _COMPUTE_SPEC if _COMPUTE in variables.get("group_names", ()) else NO_SPEC
    name = str(variables.get("node_hardware_spec") or default)
    specs = {NO_SPEC: _UNDECLARED, **(variables.get("lab_hardware_specs") or {})}
    spec = resolve_spec(name, specs)
    node_gpu = variables.get("node_gpu") or {}
    own = {key: node_gpu[key] for key in _SETTINGS if key in node_gpu}
    if spec.get("gpu") and own:
        spec = {**spec, "gpu": {**spec["gpu"], **own}}
    return NodeSpec(name, spec)
