# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""Documentation of gpulab.core.pair_judge; the code is plugins/action/pair_judge.py."""

DOCUMENTATION = r"""
module: pair_judge
author: The gpulab maintainers
version_added: 0.1.0
short_description: Find out which node, card or cable slows node pairs down
description:
  - Compares bandwidth, loss and round trip of each pair with what the inventory declares. What is
    bad is attributed to a node's side where all its pairs are bad, to the way between two nodes
    where both are fine with others, or to what all share. docs/network-tests.md has the rules.
  - Runs on the controller and connects to nothing.
options:
  plan:
    description: The result of M(gpulab.core.pair_plan).
    type: dict
    required: true
  measurements:
    description: RV(gpulab.core.pair_test#module:measurement) of every test, the retest's included.
    type: list
    elements: dict
    required: true
  limits:
    description: Limits of all pairs.
    type: dict
    default: {}
    suboptions:
      share_min:
        description: Least share of the line rate; 0.9 where it is not given.
        type: float
      loss_percent_max:
        description: Most packets lost, in percent; 0 where it is not given.
        type: float
attributes:
  check_mode:
    description: It changes nothing, so it does the same in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Judge
  gpulab.core.pair_judge:
    plan: "{{ plan }}"
    measurements: "{{ measurements }}"
  run_once: true
  register: judged
"""

RETURN = r"""
nodes:
  description: By node its C(findings) and C(metrics), as M(gpulab.core.record) keeps them.
  type: dict
  returned: always
"""
