#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: history
short_description: Say what has happened to a part
description:
  - Looks up a GPU, disk, DIMM, network port or node in the lab's history, prints where it was and
    what was wrong with it, and returns the same as data.
  - A part keeps its history when its node is installed again or it moves to another node.
  - Runs on the controller and does not connect to any node. Use it with C(run_once).
version_added: "0.1.0"
author:
  - The gpulab maintainers
options:
  part:
    description:
      - GPU UUID, serial number, MAC address or node, or how it begins. Where several begin so, they
        are listed.
      - Without it, all parts that failed or warned are listed.
    type: str
    default: ""
  rebuild:
    description:
      - First take up all of the lab's runs that are in C(reports/), for a history that was lost.
    type: bool
    default: false
  forget_metrics:
    description:
      - Forget all numbers of the past, and nothing else, so that the next runs make a new baseline;
        after a change that makes all nodes slower for good.
    type: bool
    default: false
attributes:
  check_mode:
    description: Looks up; takes up and forgets nothing.
    support: full
  diff_mode:
    description: Returns details on what has changed in diff mode.
    support: none
seealso:
  - module: gpulab.core.report
"""

EXAMPLES = r"""
- name: What happened to this GPU?
  gpulab.core.history:
    part: GPU-6ac3a5f2
  run_once: true
"""

RETURN = r"""
answer:
  description:
    - C(kind) is V(part), V(node), V(candidates), V(nothing) or V(summary).
    - Of a part C(places) and C(events), of a node C(parts), C(events) and C(admissions), the oldest
      first.
  returned: always
  type: dict
taken_up:
  description: How many runs O(rebuild) took up.
  returned: always
  type: int
forgotten:
  description: How many numbers O(forget_metrics) forgot.
  returned: always
  type: int
problems:
  description: Runs and records that O(rebuild) could not take up, and why.
  returned: always
  type: list
  elements: str
"""
