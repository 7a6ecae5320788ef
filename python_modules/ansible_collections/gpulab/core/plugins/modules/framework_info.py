#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: framework_info
short_description: Read what decides on a node's framework environment, and decide
version_added: "0.1.0"
description:
  - Reads the NVIDIA GPUs on the PCI bus, the environments that are there and what runs in them, the
    free space, and which of a list of files are not as they should be.
  - With O(requested), decides on the controller which environment the node gets, and fails where it
    cannot be installed, with the reason and the way out.
author: gpulab
options:
  prefix:
    description: >-
      Link that points to the environment in use. The environments stand beside it, in a folder with
      the suffix C(-versions).
    type: path
    required: true
  interpreter:
    description: Python that makes the environment.
    type: path
    required: true
  files:
    description: Files that are to be there.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      content:
        description: The whole text.
        type: str
        required: true
      only_with:
        description: Folder without which the file is not wanted.
        type: path
        default: ""
  requested:
    description: What is declared. It is read on the controller and not sent to the node.
    type: dict
    suboptions:
      name:
        description: The framework by its role's name, for example C(pytorch).
        type: str
        required: true
      title:
        description: The framework by its own name, for example C(PyTorch).
        type: str
        required: true
      packages:
        description: The package that carries the release, of the builds C(cpu) and C(cuda).
        type: dict
        required: true
      build:
        description: C(auto) chooses by the GPUs on the bus.
        type: str
        choices: [auto, cpu, cuda]
        required: true
      version:
        description: Release of the framework; the locks must pin it.
        type: str
        required: true
      python:
        description: The node's CPython, for example C(3.12).
        type: str
        required: true
      machine:
        description: The node's architecture, as uname gives it.
        type: str
        required: true
      locks:
        description: Files of the universal, hashed locks C(cpu) and C(cuda).
        type: dict
        required: true
      disk_gib:
        description: Free space in GiB that installing C(cpu) and C(cuda) needs.
        type: dict
        required: true
      keep:
        description: How many environments stay besides the one in use.
        type: int
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
gpu_devices:
  description: PCI device ids of these GPUs.
  returned: always
  type: list
  elements: str
  sample: ["0x20b5"]
driver:
  description: Version of the NVIDIA driver that is loaded, empty for none.
  returned: always
  type: str
  sample: 580.95.05
target:
  description: Name of the environment that the prefix points to, empty when there is none.
  returned: always
  type: str
  sample: pytorch-cuda-cp312-x86_64-2.13.0-0c1d5c9a7f42
environments:
  description: >-
    C(name), C(proved), C(made) (seconds of the epoch) and C(processes) (ids of those that run in
    it) of each environment that is there.
  returned: always
  type: list
  elements: dict
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
unlike:
  description: Paths of the O(files) that are wanted and not there with their content.
  returned: always
  type: list
  elements: str
plan:
  description: >-
    C(framework), C(build), C(key), C(family), C(python), C(machine), C(requirements), C(pins),
    C(current), C(kept), C(remove), C(note) and C(problem).
  returned: with O(requested)
  type: dict
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.framework.node import (
    environments,
    free_bytes,
    gpu_devices,
    link_target,
    makes_environments,
    nvidia_gpus,
    unlike,
)
from ..module_utils.gpu_software.kernel_modules import loaded_version
from ..module_utils.hardware.sysfs import ProbeError, Tree

FILE = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str", "required": True},
    "only_with": {"type": "path", "default": ""},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "prefix": {"type": "path", "required": True},
            "interpreter": {"type": "path", "required": True},
            "files": {"type": "list", "elements": "dict", "default": [], "options": FILE},
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
    versions = prefix.with_name(f"{prefix.name}-versions")
    module.exit_json(
        changed=False,
        nvidia_gpus=gpus,
        gpu_devices=gpu_devices(Tree()),
        driver=loaded_version(Tree()) or "",
        target=link_target(prefix),
        environments=environments(versions, Path("/proc")),
        makes_environments=makes_environments(Path(module.params["interpreter"])),
        free_bytes=free_bytes(prefix),
        unlike=unlike(module.params["files"]),
    )


if __name__ == "__main__":
    main()
