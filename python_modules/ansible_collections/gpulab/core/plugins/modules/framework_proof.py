#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: framework_proof
short_description: Prove that a framework's environment is what its lock says and works
version_added: "0.1.0"
description:
  - Compares the installed versions with the lock, then runs the framework's own script under the
    environment's Python, which imports the framework and multiplies matrices on each device.
  - Fails and names every problem.
author: gpulab
options:
  environment:
    description: Folder of the environment, or a link to it.
    type: path
    required: true
  script:
    description: >-
      Text of the framework's script. It gets a JSON object with C(build) and C(devices) as its
      argument and prints one with C(version), C(build) and C(problems).
    type: str
    required: true
  build:
    description: The build that was decided.
    type: str
    choices: [cpu, cuda]
    required: true
  devices:
    description: Where to multiply.
    type: list
    elements: str
    choices: [cpu, cuda]
    required: true
  pins:
    description: The lock's version of each package.
    type: dict
    required: true
  timeout_s:
    description: Seconds after which the script is ended.
    type: int
    default: 300
attributes:
  check_mode:
    support: full
    description: It only reads and computes.
"""

EXAMPLES = r"""
- name: Prove that PyTorch works
  gpulab.core.framework_proof:
    environment: /opt/gpulab/pytorch
    script: "{{ lookup('ansible.builtin.file', 'verify.py') }}"
    build: cpu
    devices: [cpu]
    pins: {numpy: 2.4.6}
"""

RETURN = r"""
version:
  description: The framework's version, as it says itself.
  returned: success
  type: str
  sample: 2.13.0+cpu
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.framework.proof import ProofError, compute, version_problems

BUILDS = ["cpu", "cuda"]


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "environment": {"type": "path", "required": True},
            "script": {"type": "str", "required": True},
            "build": {"type": "str", "choices": BUILDS, "required": True},
            "devices": {"type": "list", "elements": "str", "choices": BUILDS, "required": True},
            "pins": {"type": "dict", "required": True},
            "timeout_s": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    options = module.params
    environment = Path(options["environment"])
    problems = version_problems(environment, options["pins"])
    said = {"version": ""}
    try:
        said = compute(
            environment,
            options["script"],
            options["build"],
            options["devices"],
            options["timeout_s"],
        )
        problems += said["problems"]
    except ProofError as error:
        problems.append(str(error))
    if problems:
        module.fail_json(msg=f"{environment}: {'; '.join(problems)}.")
    module.exit_json(changed=False, version=said["version"])


if __name__ == "__main__":
    main()
