#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: report
short_description: Print the lab's verdict, decide who is in service, and write the report's page
description:
  - Reads the records and the failures of this run and prints the lab's verdict, the nodes, and
    what to do next by physical part.
  - Holds the nodes against each other and against the lab's history before, and decides which of
    them are in service; both are kept in C(state/<lab>/).
  - Writes C(index.html), C(lab.json), C(junit.xml) and C(gpulab.prom) into C(reports/<lab>/<run>),
    points C(reports/<lab>/latest) and C(reports/latest) there.
  - Runs on the controller and does not connect to any node. Use it with C(run_once).
  - Does not fail for a bad verdict; RV(refused) is there to fail the nodes by.
version_added: "0.1.0"
author:
  - The gpulab maintainers
options:
  nodes:
    description:
      - The nodes that the run was about. One without a record is shown as V(fail) or V(unknown).
    type: list
    elements: str
    required: true
  max_age_h:
    description:
      - Hours that a passing record keeps a node in service.
    type: float
    default: 168.0
  require_speed:
    description:
      - A node is V(unknown), and not in service, while the speed of one of its GPUs is held against
        nothing; without it such a node has a warning.
    type: bool
    default: false
  textfile_dir:
    description:
      - Folder on the controller from which node_exporter's textfile collector reads; it gets
        C(gpulab.prom), too. Where it is no folder, nothing is written.
    type: path
attributes:
  check_mode:
    description: Writes and judges nothing in check mode and says so.
    support: full
  diff_mode:
    description: Returns details on what has changed in diff mode.
    support: none
seealso:
  - module: gpulab.core.record
"""

EXAMPLES = r"""
- name: Report
  gpulab.core.report:
    nodes: "{{ ansible_play_hosts_all }}"
    textfile_dir: /var/lib/prometheus/node-exporter
  run_once: true
  register: report

- name: Refuse the nodes that did not pass
  ansible.builtin.fail:
    msg: "Not accepted: {{ report.refused[inventory_hostname] }}"
  when: inventory_hostname in report.refused
"""

RETURN = r"""
verdict:
  description: The lab's verdict.
  returned: unless in check mode
  type: str
  sample: pass
page:
  description: The page's file.
  returned: unless in check mode
  type: str
  sample: /srv/gpulab/reports/mylab-1a2b3c/20261123T171500Z/index.html
refused:
  description: The verdict of each node that is not accepted.
  returned: always
  type: dict
  sample:
    node02: fail
states:
  description: Whether each node is in service, and why not.
  returned: always
  type: dict
  sample:
    node02:
      state: quarantined
      reason: "gpu.count: 8 on the PCI bus, 7 answer the driver"
"""
