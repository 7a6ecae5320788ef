#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_node
short_description: Read in one go whether a node can take part in a run
version_added: 0.1.0
author: The gpulab maintainers
description:
  - Connects to the node, becomes root, and reads its Python version, platform, free disk space,
    clock and NVIDIA GPUs, in one task.
  - A node that cannot be reached, or where C(sudo) or Python does not work, gives a result too, not
    an error, so that all nodes can be shown together. M(gpulab.core.preflight_gate) then stops it.
options:
  root_gib_min:
    description: Free space on C(/) that the node must have, in GiB.
    type: float
    default: 5
  var_gib_min:
    description: Free space on C(/var) that the node must have, in GiB.
    type: float
    default: 2
  clock_skew_s_max:
    description: How far the node's clock may be from the controller's, in seconds.
    type: float
    default: 30
  gpu_software:
    description:
      - C(lab_software), where the node gets GPU software; its NVIDIA GPUs are then held against it.
      - Without it no GPU is asked of the node.
    type: dict
  framework_locks:
    description:
      - The locks of the CUDA builds that the node gets where it has GPUs, files on the controller
        by the name of the framework's role. Its GPUs and its driver are held against them.
    type: dict
    default: {}
attributes:
  check_mode:
    description: It changes nothing, so it does the same in check mode.
    support: full
notes:
  - The action plugin of the same name judges on the controller; the module only reads.
"""

EXAMPLES = r"""
- name: Read the node
  gpulab.core.preflight_node:
    root_gib_min: 20
  register: preflight
"""

RETURN = r"""
ok:
  description: Whether every check is ok.
  returned: always
  type: bool
  sample: false
checks:
  description: One entry per check, always the same ones in the same order.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the check.
      type: str
    status:
      description: C(ok), C(fail) or C(unknown).
      type: str
    detail:
      description: What was found, short.
      type: str
    action:
      description: What to do; empty when ok.
      type: str
  sample:
    - {name: clock, status: fail, detail: -3600 s, action: "set the clock …"}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.preflight.read import read_node


def main() -> None:
    """Read the node; the options are for the action plugin alone."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    module.exit_json(changed=False, facts=read_node())


if __name__ == "__main__":
    main()
