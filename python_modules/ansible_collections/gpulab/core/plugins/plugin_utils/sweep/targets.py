"""What a sweep must know of a machine before it asks it: how to reach it, and what is declared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..records.records import NO_SPEC

COMPUTE_SPEC = "compute-minimum"
_COMPUTE = "compute"
# A machine for which nothing is declared: its clock, and a warning in its record. The same stands
# in playbooks/verify.yml; a test holds them together.
UNDECLARED = {NO_SPEC: {"description": "No hardware is declared", "clock": {"synchronised": True}}}


def describe(host: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return a machine as the sweep takes it.

    Args:
        host: As a record's ``host``.
        variables: The machine's Ansible variables, templated.

    Returns:
        ``host``; ``spec`` and ``specs`` as hardware_verify takes them; ``lab``; ``address``,
        ``ssh_words`` and ``password`` to reach it; ``become``; ``problem``: why it can't be asked.
    """
    from .ssh_options import ssh_words

    default = COMPUTE_SPEC if _COMPUTE in host["groups"] else NO_SPEC
    connection = str(variables.get("ansible_connection") or "ssh")
    method = str(variables.get("ansible_become_method") or "sudo")
    problem = ""
    if connection not in ("ssh", "smart", "paramiko", "paramiko_ssh"):
        problem = f"ansible_connection is {connection}: a sweep asks by SSH only"
    return {
        "host": dict(host),
        "spec": str(variables.get("node_hardware_spec") or default),
        "specs": {**UNDECLARED, **(variables.get("lab_hardware_specs") or {})},
        "lab": str(variables.get("lab_name") or ""),
        "address": str(variables.get("ansible_host") or host["name"]),
        "ssh_words": ssh_words(variables),
        "password": str(
            variables.get("ansible_password") or variables.get("ansible_ssh_pass") or ""
        ),
        # playbooks/verify.yml reads as root; a machine may forbid it.
        "become": bool(variables.get("ansible_become", True)) and method == "sudo",
        "problem": problem,
    }
