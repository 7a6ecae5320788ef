# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""Documentation of gpulab.core.pair_plan; the code is plugins/action/pair_plan.py."""

DOCUMENTATION = r"""
module: pair_plan
author: The gpulab maintainers
version_added: 0.1.0
short_description: Plan which nodes are measured with each other, and when
description:
  - Takes addresses, line rates and limits from the inventory and gives rounds in which no node is
    in two tests at once; every pair meets once.
  - With O(plan) and O(measurements) it plans the retest instead. Each node of a pair in doubt meets
    up to three of its bad peers again, and two nodes that passed.
  - Runs on the controller and connects to nothing.
options:
  nodes:
    description: Names in the inventory.
    type: list
    elements: str
    required: true
  zone:
    description:
      - Zone to measure in; else C(fabric) where it is declared, else the one that most share.
    type: str
    default: ""
  rounds:
    description: Most rounds of the first measurement; V(0) for all.
    type: int
    default: 0
  test_s:
    description: Seconds of one test, for the estimate.
    type: float
    default: 10
  plan:
    description: What this module returned before the first measurement. Goes with O(measurements).
    type: dict
  measurements:
    description: RV(gpulab.core.pair_test#module:measurement) of every pair.
    type: list
    elements: dict
  limits:
    description: Limits of all pairs, as in M(gpulab.core.pair_judge).
    type: dict
    default: {}
    suboptions:
      share_min:
        description: Least share of the line rate.
        type: float
      loss_percent_max:
        description: Most packets lost, in percent.
        type: float
attributes:
  check_mode:
    description: It changes nothing, so it does the same in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Plan the rounds
  gpulab.core.pair_plan:
    nodes: "{{ ansible_play_hosts }}"
  run_once: true
  register: plan
"""

RETURN = r"""
zone:
  description: The zone; empty where none is declared.
  type: str
  returned: always
nodes:
  description: By node C(address), C(interface), C(rate_mbps), C(round_trip_ms_max), C(processes).
  type: dict
  returned: always
rounds:
  description: Of each round, by client, the arguments of M(gpulab.core.pair_test).
  type: list
  elements: dict
  returned: always
estimate_s:
  description: About how many seconds the rounds take.
  type: float
  returned: always
"""
