"""What a node is held against, whoever asks: verify, sweep, benchmark and pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .specs import Spec, resolve_spec

#: The name of what a node is held against for which no hardware is declared.
NO_SPEC = "none"
#: The variables of a node that decide on its spec.
VARIABLES = (
    *("group_names", "node_hardware_spec", "lab_hardware_specs", "node_gpu"),
    *("inventory_hostname", "node_serial", "node_mac", "node_intrusion_acknowledged"),
)

_COMPUTE = "compute"
_COMPUTE_SPEC = "compute-minimum"
# Without a declaration: its clock; its record has a warning as well.
_UNDECLARED: Spec = {"description": "No hardware is declared", "clock": {"synchronised": True}}
# What a node declares of its GPUs' settings (node_gpu), and a spec can require.
_SETTINGS = ("power_limit_w", "ecc", "gpudirect")
# What it declares of which machine it is.
_MARKS = {"serial": "node_serial", "mac": "node_mac"}
#: The time up to which a person knows of an opened chassis, as a node's variable and as the
#: requirement of section ``system`` that becomes of it.
ACKNOWLEDGED, ACKNOWLEDGED_KEY = "node_intrusion_acknowledged", "intrusion_acknowledged"


class NodeSpec(NamedTuple):
    """What one node must be: the spec's name, and its requirements with all that it inherits."""

    name: str
    requirements: Spec


def node_spec(variables: Mapping[str, Any]) -> NodeSpec:
    """Return what a node is held against.

    That is its ``node_hardware_spec``; without one a compute node has the built-in
    ``compute-minimum``, and any other node ``none``: its clock alone. How the node's GPUs are set
    (``node_gpu``) is required of them, whatever the spec says, since the stage ``gpu`` sets it; a
    spec that asks nothing of GPUs stays as it is. Which machine it is (``node_serial``,
    ``node_mac``) is required of every node that declares it, as section ``identity``, and up to
    when somebody knows of an opened chassis goes with what its BMC is asked.

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
    acknowledged = variables.get(ACKNOWLEDGED)
    if spec.get("system") and acknowledged:
        spec = {**spec, "system": {**spec["system"], ACKNOWLEDGED_KEY: str(acknowledged)}}
    marks = {key: str(variables[name]) for key, name in _MARKS.items() if variables.get(name)}
    if marks:
        spec = {**spec, "identity": {"name": str(variables.get("inventory_hostname", "")), **marks}}
    return NodeSpec(name, spec)
