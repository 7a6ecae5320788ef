#!/usr/bin/python
from __future__ import annotations

DOCUMENTATION = r"""
module: framework_info
short_description: Read what decides on a node's framework environment
version_added: "0.1.0"
description:
  - Reads the NVIDIA GPUs on the PCI bus, the environment in use and the free space.
author: gpulab
options:
  prefix:
    description: Link that points to the environment in use.
    type: path
    required: true
  interpreter:
    description: Python that makes the environment.
    type: path
    required: true
attributes:
  check_mode:
    support: full
    description: It only reads.
"""

EXAMPLES = r"""
- name: Read what this node has
  gpulab.core.framework_info:
    prefix: /opt/gpulab/pytorch
    interpreter: /usr/bin/python3.12
  register: node
"""

RETURN = r"""
nvidia_gpus:
  description: PCI addresses of the NVIDIA GPUs, with or without a driver.
  returned: always
  type: list
  elements: str
  sample: ["0000:01:00.0"]
target:
  description: Name of the environment that the prefix points to, empty when there is none.
  returned: always
  type: str
  sample: cuda-cp312-x86_64-2.13.0-0c1d5c9a7f42
makes_environments:
  description: The interpreter exists and can make an environment with pip in it.
  returned: always
  type: bool
  sample: true
free_bytes:
  description: Bytes free on the file system of the prefix.
  returned: always
  type: int
  sample: 68719476736
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpulab.core.plugins.module_utils.framework.node import (
    free_bytes,
    link_target,
    makes_environments,
    nvidia_gpus,
)
from ansible_collections.gpulab.core.plugins.module_utils.hardware.tree import ProbeError, Tree


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "prefix": {"type": "path", "required": True},
            "interpreter": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    prefix = Path(module.params["prefix"])
    if not prefix.is_absolute():
        module.fail_json(msg=f"prefix must be an absolute path, not {prefix}")
    try:
        gpus = nvidia_gpus(Tree())
    except ProbeError as error:
        module.fail_json(msg=f"Cannot tell whether this machine has a GPU: {error}")
    module.exit_json(
        changed=False,
        nvidia_gpus=gpus,
        target=link_target(prefix),
        makes_environments=makes_environments(Path(module.params["interpreter"])),
        free_bytes=free_bytes(prefix),
    )


if __name__ == "__main__":
    main()
