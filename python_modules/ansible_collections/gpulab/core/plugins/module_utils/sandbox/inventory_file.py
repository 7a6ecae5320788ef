"""Render ``machines.yml``: what an inventory cannot know before its sandbox has started."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .images import LOGIN
from .plan import Machine, Plan

_HEADER = """\
---
# Written by playbooks/sandbox_up.yml, removed by playbooks/sandbox_down.yml: do not edit.
# The addresses are free ones of this host; the host keys are checked against known_hosts.
"""


def render(
    machines: list[Machine],
    plan: Plan,
    interfaces: dict[str, dict[str, str]],
    ssh_config: Path,
) -> str:
    """Render the inventory file.

    Args:
        machines: the machines of the lab.
        plan: their subnets and addresses.
        interfaces: machine → interface → zone, as read from the running machines.
        ssh_config: the file that ``ssh -F`` takes.

    Returns:
        YAML. Values are written as JSON, which YAML includes, so that nothing needs quoting.
    """
    hosts: dict[str, Any] = {}
    for machine in machines:
        addresses = plan.addresses[machine.name]
        hosts[machine.name] = {
            "ansible_host": addresses[machine.zones[0]],
            "node_interfaces": {
                name: {
                    "zone": zone,
                    "address": addresses[zone],
                    "address6": plan.address6(machine.name, zone),
                }
                for name, zone in sorted(interfaces[machine.name].items())
            },
        }
    networks = {
        "sandbox_subnets": plan.subnets,
        "sandbox_subnets6": plan.subnets6,
        "sandbox_gateways": {zone: plan.gateway(zone) for zone in plan.subnets},
        "sandbox_gateways6": {zone: plan.gateway6(zone) for zone in plan.subnets6},
    }
    quoted = json.dumps(str(ssh_config))
    lines = [
        _HEADER.rstrip(),
        "all:",
        "  vars:",
        f"    ansible_user: {LOGIN}",
        "    ansible_python_interpreter: /usr/bin/python3",
        f"    ansible_ssh_common_args: {json.dumps(f'-F {quoted}')}",
        *(f"    {name}: {json.dumps(value)}" for name, value in networks.items()),
        "  hosts:",
    ]
    for name, values in hosts.items():
        lines.append(f"    {name}:")
        lines += [f"      {key}: {json.dumps(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"
