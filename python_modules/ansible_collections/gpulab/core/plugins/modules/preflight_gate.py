# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""Documentation of gpulab.core.preflight_gate; the code is plugins/action/preflight_gate.py."""

DOCUMENTATION = r"""
module: preflight_gate
short_description: Take a node that cannot take part out of the run
version_added: 0.1.0
author: The gpulab maintainers
description:
  - Lets a node go on whose preflight checks are all ok.
  - Fails for one with a bad check, and says what to do; a node that could not be reached counts as
    unreachable, as it would have without a preflight. Other nodes go on.
options:
  row:
    description: What M(gpulab.core.preflight_node) returned for the node.
    type: dict
    required: true
attributes:
  check_mode:
    description: It changes nothing, so it does the same in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Stop the nodes that cannot go on
  gpulab.core.preflight_gate:
    row: "{{ preflight }}"
"""

RETURN = r"""
"""
