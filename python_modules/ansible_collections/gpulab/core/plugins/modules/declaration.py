# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""Documentation of gpulab.core.declaration; the code is plugins/action/declaration.py."""

DOCUMENTATION = r"""
module: declaration
short_description: Check the whole declaration of the lab at once
version_added: 0.1.0
author: The gpulab maintainers
description:
  - Reads all C(lab_*) and C(node_*) variables of the inventory and checks them against
    C(inventory/lab.schema.json) and against each other.
  - Reports all mistakes at once, each with its file and line, its key, what is wrong, and what
    would be right. A secret is never shown.
  - Checks all nodes of the inventory, whatever C(--limit) says, and connects to none of them.
options:
  schema:
    description: The JSON Schema; the project's own where it is left out.
    type: path
attributes:
  check_mode:
    description: It changes nothing, so it does the same in check mode.
    support: full
notes:
  - Runs on the controller, with the Python package C(jsonschema). Needs ansible-core 2.19 or newer.
"""

EXAMPLES = r"""
- name: Check the declaration of the lab
  gpulab.core.declaration:
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
errors:
  description:
    - The mistakes, in the order of files and lines; empty when there is none.
    - "Three lines each: file, line, key and (where it is not the lab's) nodes; what is wrong;
      what would be right."
  returned: always
  type: list
  elements: str
  sample:
    - |-
      inventory/lab/group_vars/all/zones.yml:12 lab_zones.fabric.cidr
        wrong: 10.20.0.0/16 overlaps zone 'edge' (10.20.3.0/24)
        right: give each zone a network that no other zone uses
machines:
  description: How many nodes the inventory has.
  returned: always
  type: int
  sample: 9
not_enforced:
  description: What is declared and has no effect yet, a line each; empty when all has one.
  returned: always
  type: list
  elements: str
  sample:
    - "lab_cooling: nobody is told of heat, and nothing is slowed down or stopped for it"
"""
