"""Load what workers use before they are forked, so that not each of them loads it for itself."""

from __future__ import annotations

from ansible.plugins import loader

# By file: Ansible loads all filters of a collection to find one.
_ANY_FILTER = "gpulab.core.platform_vars"
_ANY_TEST = "ansible.builtin.failed"
_ACTIONS = (
    "assert",
    "command",
    "copy",
    "debug",
    "gather_facts",
    "include_vars",
    "normal",
    "package",
    "service",
    "set_fact",
    "shell",
    "template",
    "validate_argument_spec",
)
_CONNECTIONS = ("ssh", "local")


def load_plugins() -> None:
    """Load filters, tests and the usual actions, connections, shell and become."""
    loader.filter_loader.get(_ANY_FILTER)
    loader.test_loader.get(_ANY_TEST)
    for name in _ACTIONS:
        loader.action_loader.get(f"ansible.builtin.{name}", class_only=True)
    for name in _CONNECTIONS:
        loader.connection_loader.get(f"ansible.builtin.{name}", class_only=True)
    loader.become_loader.get("ansible.builtin.sudo", class_only=True)
    loader.shell_loader.get("ansible.builtin.sh", class_only=True)
