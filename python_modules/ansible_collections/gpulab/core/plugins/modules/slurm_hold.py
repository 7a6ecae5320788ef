#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: slurm_hold
author: The gpulab maintainers
version_added: 0.2.0
short_description: Keep Slurm's jobs off nodes for a while
description:
  - Runs on the head. Drains nodes, so that they get no further job, says which jobs they still
    have, and gives back what it drained.
  - Does not wait for jobs; ask again until there are none.
  - A node that is out of service already is left with the reason that it has.
options:
  nodes:
    description: The nodes.
    type: list
    elements: str
    required: true
  reason:
    description: Why, for the table of C(sinfo -R); C(gpulab:) is put before it.
    type: str
    required: true
  state:
    description: V(held) drains; V(released) gives back what has this reason; V(seen) only asks.
    type: str
    choices: [held, released, seen]
    default: held
  only_idle:
    description: Give a node back at once where a job has it.
    type: bool
    default: false
attributes:
  check_mode:
    description: Asks Slurm, and says what would be told.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: Get the nodes on which no job runs
  gpulab.core.slurm_hold:
    nodes: [node01, node02]
    reason: "measuring: benchmark"
    only_idle: true
  register: hold
"""

RETURN = r"""
available:
  description: Whether this node has Slurm's commands.
  type: bool
  returned: success
nodes:
  description: >-
    Of each node that Slurm knows: C(state) and C(reason), C(out), whether it gets no jobs now;
    C(ours), whether it has this reason; and C(jobs), such as C(17 of alice).
  type: dict
  returned: success
busy:
  description: Node → its jobs, of the nodes that have any.
  type: dict
  returned: success
  sample: {node02: 17 of alice}
"""

from collections.abc import Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.slurm import client, reconcile
from ..module_utils.slurm.nodes import Node, find


def main() -> None:
    """Do what is asked for, and say how each node is now."""
    module = AnsibleModule(
        argument_spec={
            "nodes": {"type": "list", "elements": "str", "required": True},
            "reason": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["held", "released", "seen"], "default": "held"},
            "only_idle": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    if not client.is_there():
        module.exit_json(changed=False, available=False, nodes={}, busy={})
    try:
        changed, found = _hold(module)
    except client.SlurmError as error:
        module.fail_json(msg=f"Slurm does not say which jobs run where: {error}")
    busy = {name: ", ".join(node["jobs"]) for name, node in found.items() if node["jobs"]}
    module.exit_json(changed=changed, available=True, nodes=found, busy=busy)


def _hold(module: AnsibleModule) -> tuple[bool, dict[str, dict[str, Any]]]:
    asked, state = module.params, module.params["state"]
    reason = reconcile.reason(reconcile.OURS.rstrip(":"), asked["reason"])
    told = []

    def tell(node: Node, words: Sequence[str]) -> None:
        if words:
            told.append(node.name)
            if not module.check_mode:
                client.update(node.name, words)

    known = _known(asked["nodes"])
    jobs: dict[str, list[str]] = {}
    for name, node in known.items():
        if state == "held":
            tell(node, reconcile.take_out(node, reason).words)
        elif state == "released":
            tell(node, reconcile.give_back(node, reason).words)
        # Asked after the drain, so that no job can come in between.
        jobs[name] = client.jobs(node.name)
    if state == "held" and asked["only_idle"] and any(jobs.values()) and not module.check_mode:
        for name, node in _known(asked["nodes"]).items():
            if jobs.get(name):
                tell(node, reconcile.give_back(node, reason).words)
    after = _known(asked["nodes"]) if told and not module.check_mode else known
    return bool(told), {
        name: {
            "state": "+".join(sorted(node.states)),
            "reason": node.reason,
            "out": node.is_out or "DOWN" in node.states,
            "ours": node.reason == reason,
            "jobs": jobs[name],
        }
        for name, node in after.items()
        if name in jobs
    }


def _known(names: Sequence[str]) -> dict[str, Node]:
    """Return the nodes that Slurm knows, by the inventory's names."""
    nodes = client.nodes()
    found = {name: find(name, nodes) for name in names}
    return {name: node for name, node in found.items() if node is not None}


if __name__ == "__main__":
    main()
