#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: admission
short_description: Show which nodes are in service, or take one out or back by hand
description:
  - Prints the state of every node, V(in_service), V(quarantined) or V(unverified), since when and
    why, and returns the same as data.
  - With O(quarantine) takes a node out of service; no run brings it back, only O(release) does.
  - With O(release) lifts a quarantine. The node is in service at once where its last whole record
    passed and nothing has been against it since; otherwise it is unverified until one passes.
  - Who did it and why is kept in the history.
  - Runs on the controller and does not connect to any node. Use it with C(run_once).
version_added: "0.1.0"
author:
  - The gpulab maintainers
options:
  release:
    description:
      - The node whose quarantine is lifted.
    type: str
  quarantine:
    description:
      - The node that is taken out of service. Mutually exclusive with O(release).
    type: str
  reason:
    description:
      - Why; required with O(release) and O(quarantine).
    type: str
    default: ""
  max_age_h:
    description:
      - Hours that a passing record counts. Without it, as the last report had it.
    type: float
attributes:
  check_mode:
    description: Shows the states, and changes none.
    support: full
  diff_mode:
    description: Returns details on what has changed in diff mode.
    support: none
seealso:
  - module: gpulab.core.report
"""

EXAMPLES = r"""
- name: Take a node out of service
  gpulab.core.admission:
    quarantine: node01
    reason: its fan rattles, the spare part comes on Monday
  run_once: true
"""

RETURN = r"""
nodes:
  description: State, since, reason and the newest passing run of every node.
  returned: always
  type: dict
  sample:
    node01:
      state: quarantined
      since: "2026-11-25T14:00:00Z"
      reason: its fan rattles, the spare part comes on Monday
      actor: alice
      passed_at: "2026-11-24T02:10:00Z"
      valid_until: ""
"""
