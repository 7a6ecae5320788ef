"""What a sweep must know of a machine before it asks it: how to reach it, and what is declared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..checks.node_spec import VARIABLES


def describe(host: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return a machine as the sweep takes it.

    Args:
        host: As a record's ``host``.
        variables: The machine's Ansible variables, templated.

    Returns:
        ``host``; ``declared``, the variables that decide on its spec; ``lab``; ``address``,
        ``ssh_words`` and ``password`` to reach it; ``become``; ``problem``: why it can't be asked.
    """
    from .ssh_options import ssh_words

    connection = str(variables.get("ansible_connection") or "ssh")
    method = str(variables.get("ansible_become_method") or "sudo")
    problem = ""
    if connection not in ("ssh", "smart", "paramiko", "paramiko_ssh"):
        problem = f"ansible_connection is {connection}: a sweep asks by SSH only"
    return {
        "host": dict(host),
        "declared": {
            **{name: variables[name] for name in VARIABLES if name in variables},
            "group_names": list(host["groups"]),
        },
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
