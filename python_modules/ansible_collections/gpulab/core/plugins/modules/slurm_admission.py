#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: slurm_admission
author: The gpulab maintainers
version_added: 0.2.0
short_description: Tell Slurm which nodes are out of service
description:
  - Runs on the head, which asks Slurm once for all nodes. A node that has to be out is drained,
    also while it is DOWN, because Slurm takes a node that is only DOWN back when it answers again.
    A node that may be in is resumed where gpulab drained it.
  - The reason in Slurm says whose a drain is. Those of gpulab begin with C(gpulab:); nobody else's
    drain or reason is touched. Of gpulab's, a quarantine takes the place of any other.
  - Remembers who is out, so that the head's timer can drain again whom Slurm resumed by itself
    (P(slurm_admission#role)).
options:
  wanted:
    description: Node → the reason for which it has to be out; V("") where it may be in.
    type: dict
    required: true
  remembered:
    description: The file in which the head remembers who is out.
    type: path
    default: /var/lib/gpulab/slurm-admission.json
attributes:
  check_mode:
    description: Asks Slurm, and says what would be told.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: Take node03 out of Slurm's hands
  gpulab.core.slurm_admission:
    wanted:
      node03: "gpulab: quarantined: GPU 2 fell off the bus"
      node04: ""
"""

RETURN = r"""
available:
  description: Whether this node has Slurm's commands. Without them nothing is told.
  type: bool
  returned: success
told:
  description: Node → what was done, or why nothing.
  type: dict
  returned: success
problem:
  description: Why Slurm could not be told, or what it refused; empty when all is well.
  type: str
  returned: success
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.slurm import client, reconcile, wanted_file


def main() -> None:
    """Compare, tell, remember."""
    module = AnsibleModule(
        argument_spec={
            "wanted": {"type": "dict", "required": True},
            "remembered": {"type": "path", "default": str(wanted_file.FILE)},
        },
        supports_check_mode=True,
    )
    wanted = {str(name): str(why or "") for name, why in module.params["wanted"].items()}
    if not client.is_there():
        module.warn("this node has no scontrol, so Slurm is not told who is in service")
        module.exit_json(changed=False, available=False, told={}, problem="")
    try:
        # First, so that the timer makes up for a Slurm that does not answer now.
        changed = wanted_file.remember(
            wanted, Path(module.params["remembered"]), write=not module.check_mode
        )
        known = client.nodes()
    except (OSError, client.SlurmError) as error:
        out = ", ".join(name for name, why in wanted.items() if why)
        rest = f"; {out} must get no jobs, and the head tries again each minute" if out else ""
        problem = f"Slurm could not be told who is in service: {error}{rest}"
        module.exit_json(changed=False, available=True, told={}, problem=problem)
    told, refused = dict.fromkeys(wanted, "Slurm does not know it"), []
    for name, change in reconcile.changes(wanted, known).items():
        told[name] = change.said
        if change.refused:
            module.warn(f"{name} is in service again and gets no jobs: {change.said}")
        if not change.words:
            continue
        changed = True
        try:
            if not module.check_mode:
                client.update(change.node, change.words)
        except client.SlurmError as error:
            refused.append(f"{name}: {error}")
    problem = f"Slurm refused: {'; '.join(refused)}" if refused else ""
    module.exit_json(changed=changed, available=True, told=told, problem=problem)


if __name__ == "__main__":
    main()
