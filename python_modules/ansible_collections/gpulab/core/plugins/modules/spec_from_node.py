#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: spec_from_node
short_description: Write a hardware spec from a known-good node
description:
  - Returns the spec that this node meets, with the observed value of every requirement, as YAML for
    C(lab_hardware_specs).
  - Each requirement is held against the node's own facts first. What the node does not meet or does
    not have is not stated, and RV(left_out) says why.
  - Runs on the controller and does not connect to the node.
version_added: "0.1.0"
author:
  - The gpulab maintainers
options:
  hardware:
    description: RV(gpulab.core.hardware_info#module:hardware) of the node.
    type: dict
    required: true
  name:
    description: Name of the spec.
    type: str
    required: true
  description:
    description: What the spec is for. By default it names the node and its product.
    type: str
    default: ""
  dest:
    description: File on the controller to write it to. By default none is written.
    type: path
  overwrite:
    description: Whether to replace a file that is there and says something else.
    type: bool
    default: false
  allow_unread:
    description:
      - Whether to leave out what could not be read, such as the sensors of a node without a BMC.
      - By default it is refused, because the spec would then not ask for it on any node.
    type: bool
    default: false
attributes:
  check_mode:
    description: Writes nothing in check mode, and returns what it would return otherwise.
    support: full
  diff_mode:
    description: Returns details on what has changed in diff mode.
    support: none
seealso:
  - module: gpulab.core.hardware_info
  - module: gpulab.core.hardware_verify
"""

EXAMPLES = r"""
- name: Write down what this node has
  gpulab.core.spec_from_node:
    hardware: "{{ node.hardware }}"
    name: a100-pair
    dest: inventory/mylab/group_vars/all/a100-pair.yml
"""

RETURN = r"""
spec:
  description: The spec.
  returned: success
  type: dict
  sample:
    description: Like node01 (Supermicro AS -4124GS-TNR)
    memory: {gib_min: 503.7, dimms_min: 16}
yaml:
  description: The spec as it stands in an inventory, with what is left out as comments.
  returned: success
  type: str
  sample: "lab_hardware_specs:\n  a100-pair:\n    memory:\n      gib_min: 503.7\n"
left_out:
  description: Requirements that are not stated, and why.
  returned: success
  type: dict
  sample:
    infiniband.ports_min: this node has nothing to tell of it
path:
  description: The file that was written.
  returned: when O(dest) is given
  type: str
  sample: /srv/gpulab/inventory/mylab/group_vars/all/a100-pair.yml
"""
