#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hardware_verify
short_description: Hold a machine's hardware against its spec
description:
  - Compares the facts of M(gpulab.core.hardware_info) with a hardware spec and returns one finding
    per requirement and part, each with the physical part, what was found, what was declared and
    the next action.
  - What could not be read is V(unknown), never V(pass).
  - Does not fail for a bad verdict; it fails for a spec or facts that it can't use.
  - Computes only; where it runs makes no difference.
version_added: "0.1.0"
author:
  - The gpulab maintainers
options:
  hardware:
    description: RV(gpulab.core.hardware_info#module:hardware) of the machine.
    type: dict
    required: true
  spec_name:
    description: Name of the spec that the machine must meet (C(node_hardware_spec)).
    type: str
    required: true
  specs:
    description:
      - Specs by name (C(lab_hardware_specs)), beside the built-in V(compute-minimum).
      - One with the name of a built-in spec replaces it.
    type: dict
    default: {}
  node_gpu:
    description:
      - How the node's GPUs are set (C(node_gpu)); its power limit, ECC and GPUDirect are required
        of them, whatever the spec says.
    type: dict
    default: {}
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
- name: Read the hardware
  gpulab.core.hardware_info:
  register: node

- name: Hold it against the node's spec
  gpulab.core.hardware_verify:
    hardware: "{{ node.hardware }}"
    spec_name: "{{ node_hardware_spec }}"
    specs: "{{ lab_hardware_specs }}"
  register: verification

- name: Hold it against a spec that adds to the built-in minimum
  gpulab.core.hardware_verify:
    hardware: "{{ node.hardware }}"
    spec_name: a100-pair
    specs:
      a100-pair:
        extends: compute-minimum
        gpu:
          count: 2
          models: [A100]
          memory_gib_min: 80
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
spec:
  description: The spec with everything that it inherits.
  returned: success
  type: dict
  sample:
    description: The least that a compute node must have to train models
    memory: {gib_min: 128}
"""

from ansible.module_utils.basic import AnsibleModule

from ..plugin_utils.checks.hardware.catalogue import FactsError, verify
from ..plugin_utils.checks.specs import SpecError, resolve_spec, with_node_gpu
from ..plugin_utils.checks.verdict import verdict_of


def main() -> None:
    """Resolve the spec, verify, and return the findings."""
    module = AnsibleModule(
        argument_spec={
            "hardware": {"type": "dict", "required": True},
            "spec_name": {"type": "str", "required": True},
            "specs": {"type": "dict", "default": {}},
            "node_gpu": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    try:
        spec = with_node_gpu(
            resolve_spec(module.params["spec_name"], module.params["specs"]),
            module.params["node_gpu"],
        )
        checks = verify(module.params["hardware"], spec)
    except (SpecError, FactsError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, verdict=verdict_of(checks), checks=checks, spec=spec)


if __name__ == "__main__":
    main()
