#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: pair_server
author: The gpulab maintainers
version_added: 0.1.0
short_description: Start and stop the servers of a measurement between nodes
description:
  - Starts iperf3 servers as transient units of systemd, under a user of their own, each on one
    address and port. They end by themselves after O(lifetime_s), whatever becomes of the run.
  - Leaves nothing behind once they are stopped, so it never reports a change.
options:
  state:
    description: Whether the servers run.
    type: str
    choices: [started, stopped]
    default: started
  address:
    description: Address to answer on. Needed to start.
    type: str
  port:
    description: The first server's port; the others' follow.
    type: int
    default: 5201
  processes:
    description: How many servers.
    type: int
    default: 1
  lifetime_s:
    description: Seconds after which systemd ends the servers.
    type: int
    default: 3600
attributes:
  check_mode:
    description: Does nothing in check mode and says so.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: Start the server
  gpulab.core.pair_server:
    address: 10.20.2.11
    lifetime_s: 120

- name: Stop it
  gpulab.core.pair_server:
    state: stopped
"""

RETURN = r"""
units:
  description: The units that were started or stopped.
  type: list
  elements: str
  returned: always
  sample: [gpulab-pairs-5201.service]
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.pairs import server

ARGUMENTS = {
    "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
    "address": {"type": "str"},
    "port": {"type": "int", "default": 5201},
    "processes": {"type": "int", "default": 1},
    "lifetime_s": {"type": "int", "default": 3600},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        required_if=[("state", "started", ("address",))],
        supports_check_mode=True,
    )
    params = module.params
    for name in ("processes", "lifetime_s"):
        if params[name] < 1:
            module.fail_json(msg=f"{name} must be 1 or more, not {params[name]}")
    if not 1 <= params["port"] <= 65536 - params["processes"]:
        module.fail_json(msg=f"port: {params['port']} leaves no room for the ports from 1 to 65535")
    if module.check_mode:
        module.exit_json(changed=False, skipped=True, units=[], msg="check mode: no server")
    try:
        # Also before a start: what an interrupted run has left.
        units = server.stop()
        if params["state"] == "started":
            units = server.start(
                params["address"], params["port"], params["processes"], params["lifetime_s"]
            )
    except server.ServerError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, units=units)


if __name__ == "__main__":
    main()
