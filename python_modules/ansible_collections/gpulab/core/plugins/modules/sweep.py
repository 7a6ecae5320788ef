#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sweep
short_description: Read and judge the hardware of all nodes at once
description:
  - Reads the hardware of all nodes by the reader of M(gpulab.core.hardware_info), judges it as
    M(gpulab.core.hardware_verify) does, and reports as M(gpulab.core.report) does, about this stage
    alone.
  - Runs on the controller. It connects to the nodes itself, all of them side by side in one
    process, with pyinfra; the reader goes along on standard input. A node needs Python 3.9. Nothing
    is written or changed there.
  - How a node is reached is taken from its variables and from Ansible's command line, and resolved
    by C(ssh -G). Host keys are always checked. Root reads, by C(sudo -n), unless C(ansible_become)
    is false for the node; where sudo asks for a password, the node is read without root, which
    warns.
  - A sweep is a run of its own; the module fails where the run has a folder already.
  - Does not fail for a bad verdict; RV(refused) is there to fail the nodes by.
  - Use it with C(run_once).
version_added: "0.1.0"
author:
  - The gpulab maintainers
options:
  nodes:
    description:
      - The nodes to sweep.
    type: list
    elements: str
    required: true
  timeout_s:
    description:
      - Seconds for a connection, and again for the answer; at most 600. Each part of the hardware
        has three fifths of that.
    type: float
    default: 5.0
  parallel:
    description:
      - How many nodes are asked at once; at most 1000.
    type: int
    default: 16
attributes:
  check_mode:
    description: Reads and judges; nothing is recorded, and nobody's admission changes.
    support: full
  diff_mode:
    description: Returns details on what has changed in diff mode.
    support: none
seealso:
  - module: gpulab.core.hardware_info
  - module: gpulab.core.hardware_verify
  - module: gpulab.core.report
"""

EXAMPLES = r"""
- name: Read and judge all nodes at once
  gpulab.core.sweep:
    nodes: "{{ ansible_play_hosts_all }}"
    timeout_s: 30
  run_once: true
  register: sweep

- name: Refuse the nodes that did not pass
  ansible.builtin.fail:
    msg: "Not accepted: {{ sweep.refused[inventory_hostname] }}"
  when: inventory_hostname in sweep.refused
"""

RETURN = r"""
verdict:
  description: The lab's verdict.
  returned: always
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
"""
