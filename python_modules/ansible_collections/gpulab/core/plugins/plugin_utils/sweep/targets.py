"""What a sweep must know of a node before it asks it: how to reach it, and what is declared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ..checks.node_spec import VARIABLES
from .ssh_options import ssh_words

PYTHON = "python3"
# Of Ansible's connection plugin `ssh`; the other options that a node may have there are for files
# and for the plugin's own way to run ssh.
SSH_OPTIONS = (
    *("host", "port", "remote_user", "private_key_file", "password"),
    *("ssh_args", "ssh_common_args", "ssh_extra_args"),
)


def describe(
    host: Mapping[str, Any], variables: Mapping[str, Any], options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a node as the sweep takes it.

    Args:
        host: As a record's ``host``.
        variables: The node's Ansible variables, templated.
        options: `SSH_OPTIONS` as Ansible would connect.

    Returns:
        ``host``; ``declared``, the variables that decide on its spec; ``address``, ``ssh_words``
        and ``password`` to reach it; ``become`` and ``python`` to read there; ``problem``: why it
        can't be asked.

    Raises:
        OptionsError: An option of SSH can't be split into words.
    """
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
        "address": str(options.get("host") or host["name"]),
        "ssh_words": ssh_words(options),
        "password": str(options.get("password") or ""),
        # playbooks/verify.yml reads as root; a node may forbid it.
        "become": boolean(variables.get("ansible_become", True)) and method == "sudo",
        "python": _python(str(variables.get("ansible_python_interpreter") or "")),
        "problem": problem,
    }


def _python(declared: str) -> str:
    """Return the node's Python; one of Ansible's ways to find it (``auto_silent``) names none."""
    return PYTHON if not declared or declared.startswith("auto") else declared
