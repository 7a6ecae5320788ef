"""The nodes to sweep, out of what Ansible has read of the inventory and of its command line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible.plugins.loader import connection_loader

from ..inventory import hosts
from . import ssh_options, targets

# Each `ssh -G` is a process of a few milliseconds.
_SSH_AT_ONCE = 8


def read(hostvars: Mapping[str, Mapping[str, Any]], names: Iterable[str]) -> list[dict[str, Any]]:
    """Return the nodes as `targets.describe` has them, and with ``ssh``, how to connect.

    Args:
        hostvars: Ansible's ``hostvars``, which templates each variable as it is read.
        names: The nodes.
    """
    # With the plugin come the definitions of its options.
    connection_loader.get("ssh", class_only=True)
    with ThreadPoolExecutor(_SSH_AT_ONCE) as pool:
        # Templating is no matter for threads; asking ssh is.
        waiting = [
            (target, pool.submit(_resolve, target))
            for target in (_target(hostvars, name) for name in names)
        ]
        return [{**target, **future.result()} for target, future in waiting]


def _target(hostvars: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, Any]:
    """Return a node, or what is wrong with its variables."""
    try:
        variables = hostvars[name]
        options = {
            option: constants.config.get_config_value(
                option, plugin_type="connection", plugin_name="ssh", variables=variables
            )
            for option in targets.SSH_OPTIONS
        }
        target = targets.describe(hosts.describe(hostvars, name), variables, options)
        # What can't be told as JSON would be a template that gave nothing.
        return dict(json.loads(json.dumps(target)))
    except (AnsibleError, TypeError, ValueError) as error:
        return {"host": {"name": name, "groups": []}, "problem": f"inventory: {error}"}


def _resolve(target: Mapping[str, Any]) -> dict[str, Any]:
    if target["problem"]:
        return {}
    try:
        return {"ssh": ssh_options.resolve(target["ssh_words"], target["address"])}
    except ssh_options.OptionsError as error:
        return {"problem": f"inventory: {error}"}
