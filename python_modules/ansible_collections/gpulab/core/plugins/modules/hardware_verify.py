#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hardware_verify
short_description: Read a node's hardware and hold it against its spec
description:
  - Reads the node by M(gpulab.core.hardware_info), and holds the facts against its spec on the
    controller. Returns one finding per requirement and part, each with the physical part, what was
    found, what was declared and the next action.
  - The spec is the node's C(node_hardware_spec), with what it inherits in C(lab_hardware_specs) and
    the built-in V(compute-minimum); what C(node_gpu) declares of the GPUs' power limit, ECC and
    GPUDirect is required of them, whatever the spec says. Without C(node_hardware_spec), nodes of
    the group C(compute) are held against V(compute-minimum), others against V(none), their clock.
  - What could not be read is V(unknown), never V(pass).
  - Does not fail for a bad verdict; it fails for a spec or facts that it can't use.
version_added: "0.1.0"
author:
  - The gpulab maintainers
options:
  hardware:
    description:
      - RV(gpulab.core.hardware_info#module:hardware) that was read before. With it nothing is read,
        and the node is not connected to.
    type: dict
  container_toolkit:
    description: As M(gpulab.core.hardware_info) takes it.
    type: dict
attributes:
  check_mode:
    description: Can run in check mode and return what it would return otherwise.
    support: full
  diff_mode:
    description: Returns details on what has changed in diff mode.
    support: none
seealso:
  - module: gpulab.core.hardware_info
"""

EXAMPLES = r"""
- name: Read the hardware and hold it against the node's spec
  gpulab.core.hardware_verify:
  register: verification
  become: true

- name: Hold the facts of a record against today's spec
  gpulab.core.hardware_verify:
    hardware: "{{ (lookup('ansible.builtin.file', record) | from_json).hardware }}"
  vars:
    record: reports/latest/{{ inventory_hostname }}.json
"""

RETURN = r"""
verdict:
  description:
    - V(fail) if a check failed; else V(unknown) if one that can fail could not be judged, or the
      spec requires nothing; else V(warn) if one warned; else V(pass).
  returned: success
  type: str
  sample: fail
checks:
  description: Findings, in the order of the catalogue.
  returned: success
  type: list
  elements: dict
  sample:
    - id: memory.size
      part: {kind: memory, name: main memory, serial: "", bdf: "", slot: "", uuid: "", port: ""}
      observed: 94.1
      expected: 128
      unit: GiB
      source: /proc/meminfo
      severity: fail
      status: fail
      action: "A DIMM is missing, disabled or failed: compare the firmware's memory page with the
        DIMMs fitted, reseat or replace the one that is not listed."
      evidence: MemTotal is 94.1 GiB of 128 GiB declared
hardware:
  description: RV(gpulab.core.hardware_info#module:hardware) that was judged.
  returned: success
  type: dict
spec_name:
  description: Name of the spec; V(none) where nothing is declared.
  returned: success
  type: str
  sample: compute-minimum
spec:
  description: The spec with everything that it inherits.
  returned: success
  type: dict
  sample:
    description: The least that a compute node must have to train models
    memory: {gib_min: 128}
"""
