#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: record
short_description: Keep what a stage found on a node
description:
  - Writes C(reports/<lab>/<run>/<node>.json) on the controller, checked against
    C(plugin_utils/records/schemas/record.schema.json). The first stage of a run makes the record, a
    later one adds to it, and a stage that runs again replaces only its own part.
  - Runs on the controller and does not connect to the node.
  - The run is named by the environment variable E(GPULAB_RUN_ID), which the callback
    P(gpulab.core.summary#callback) sets.
version_added: "0.1.0"
author:
  - The gpulab maintainers
options:
  verification:
    description:
      - The result of M(gpulab.core.hardware_verify). Where its spec is V(none), the record gets a
        warning that no spec is declared for this node.
    type: dict
  benchmark:
    description: The result of M(gpulab.core.benchmark).
    type: dict
  ddp:
    description: The result of M(gpulab.core.benchmark_ddp). Of several nodes that trained together.
    type: dict
  pairs:
    description:
      - C(findings) and C(metrics) of the node, from RV(gpulab.core.pair_judge#module:nodes).
    type: dict
attributes:
  check_mode:
    description: Writes nothing in check mode and says so.
    support: full
  diff_mode:
    description: Returns details on what has changed in diff mode.
    support: none
seealso:
  - module: gpulab.core.report
"""

EXAMPLES = r"""
- name: Keep what was read and what is wrong with it
  gpulab.core.record:
    verification: "{{ verification }}"

- name: Keep what the benchmark measured
  gpulab.core.record:
    benchmark: "{{ benchmark }}"
"""

RETURN = r"""
verdict:
  description: The record's verdict so far.
  returned: when it was written
  type: str
  sample: pass
path:
  description: The record's file.
  returned: when it was written
  type: str
  sample: /srv/gpulab/reports/mylab-1a2b3c/20261123T171500Z/node01.json
"""
