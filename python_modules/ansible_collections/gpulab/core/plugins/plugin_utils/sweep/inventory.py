"""Read the lab's inventory as Ansible does.

``python -m ansible_collections.gpulab.core.plugins.plugin_utils.sweep.inventory``

Prints JSON. It is a program of its own because Ansible and gevent, on which pyinfra stands, each
change the process that they are loaded into. Variables are templated, vaults are opened, and
``--limit`` means what it means to ``ansible-playbook``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible import context
from ansible.cli.inventory import InventoryCLI
from ansible.errors import AnsibleError
from ansible.vars.hostvars import HostVars

from ..inventory import hosts
from . import ssh_options, targets

# Each `ssh -G` is a process of a few milliseconds.
_SSH_AT_ONCE = 8


def read(arguments: list[str]) -> list[dict[str, Any]]:
    """Return the machines that ansible-inventory's arguments choose, as `targets` has them.

    Raises:
        AnsibleError: The inventory can't be read, or the limit leaves nothing.
    """
    # How every program of Ansible turns its arguments into an inventory, vaults included.
    cli = InventoryCLI(["ansible-inventory", "--list", *arguments])
    cli.parse()
    loader, inventory, manager = cli._play_prereqs()
    chosen = cli.get_host_list(inventory, context.CLIARGS["subset"])
    hostvars = HostVars(inventory, manager, loader)
    with ThreadPoolExecutor(_SSH_AT_ONCE) as pool:
        # Templating is no matter for threads; asking ssh is.
        waiting = [
            (target, pool.submit(_resolve, target))
            for target in (_target(hostvars, host.get_name()) for host in chosen)
        ]
        return [{**target, **future.result()} for target, future in waiting]


def _target(hostvars: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, Any]:
    """Return a machine, or what is wrong with its variables."""
    try:
        target = targets.describe(hosts.describe(hostvars, name), hostvars[name])
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


def main() -> int:
    """Print the machines; returns the exit status: 0, or 2 for an inventory that can't be read."""
    try:
        json.dump(read(sys.argv[1:]), sys.stdout)
    except AnsibleError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
