#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: nvidia_container_proof
short_description: Prove that containers get the node's GPUs by CDI
version_added: "0.1.0"
description:
  - Compares the toolkit with its declared version and the CDI specification with the PCI bus.
  - Where an image is given, starts a container with each engine and counts the GPUs in it, before
    and after systemd is reloaded; a reload is what takes devices away from containers that got
    them another way.
author: gpulab
extends_documentation_fragment: gpulab.core.gpu_proof
options:
  version:
    description: Release of the toolkit that must be installed.
    type: str
    required: true
  spec:
    description: Path of the CDI specification.
    type: path
    required: true
  engines:
    description: Container engines to try.
    type: list
    elements: str
    choices: [podman, docker]
    required: true
  image:
    description: Image with a C library in which to try them; empty for not at all.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: It changes nothing; the container that it starts is removed.
"""

EXAMPLES = r"""
- name: Look what containers get
  gpulab.core.nvidia_container_proof:
    version: "1.20.1"
    spec: /var/run/cdi/nvidia.yaml
    engines: [podman]
    gpus: 8
    loaded: "570.86.15"
"""

RETURN = r"""
lines:
  description: What was proved, a sentence each.
  returned: success
  type: list
  elements: str
problems:
  description: What is wrong; the caller decides what to do about it.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.gpu_software.container_proof import Request, prove


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "version": {"type": "str", "required": True},
            "spec": {"type": "path", "required": True},
            "engines": {
                "type": "list",
                "elements": "str",
                "choices": ["podman", "docker"],
                "required": True,
            },
            "image": {"type": "str", "default": ""},
            "gpus": {"type": "int", "required": True},
            "loaded": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    lines, problems = prove(Request(**module.params))
    module.exit_json(changed=False, lines=lines, problems=problems)


if __name__ == "__main__":
    main()
