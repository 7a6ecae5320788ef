#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sandbox_snapshot
short_description: Keep a sandbox machine as an image that others start from
description:
  - What takes minutes to install is done to one machine, which is then kept in the store of the
    container engine of this host. Machines with C(sandbox_image) set to it start from there.
  - Without O(machine) it only says how the image is called and whether it is there.
  - Does nothing when an image of that name, base and inputs is there.
options:
  name:
    description: What the machine has become.
    type: str
    required: true
  base:
    description: The image that the machine started from, from M(gpulab.core.sandbox_image).
    type: str
    required: true
  inputs:
    description:
      - The files, and folders of files, that say what is done to the machine. The image's name
        has a hash of them.
    type: list
    elements: path
    required: true
  lab:
    description: The id of the lab that the machine is in, as M(gpulab.core.sandbox) has it.
    type: str
  machine:
    description: The running container to keep. Its keys go, so it is of no use afterwards.
    type: str
author: The gpulab maintainers
attributes:
  check_mode:
    support: full
    description: Says whether the machine would be kept.
seealso:
  - module: gpulab.core.sandbox
  - module: gpulab.core.sandbox_image
"""

EXAMPLES = r"""
- name: Keep node01 with what was installed on it
  gpulab.core.sandbox_snapshot:
    name: tools
    base: "{{ sandbox_image.images.container }}"
    inputs: ["{{ playbook_dir }}/tools.yml"]
    lab: gpulab-demo
    machine: node01
  delegate_to: localhost
"""

RETURN = r"""
image:
  description: The image's reference in the engine's store.
  type: str
  returned: success
  sample: localhost/gpulab-sandbox-shape-rocky-9:0c6f2a9d41b7
exists:
  description: Whether it is there now.
  type: bool
  returned: success
  sample: true
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.sandbox import snapshots
from ..module_utils.sandbox.engine import find_engine
from ..module_utils.sandbox.errors import SandboxError


def main() -> None:
    """Keep a machine, or look whether it is kept."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "base": {"type": "str", "required": True},
            "inputs": {"type": "list", "elements": "path", "required": True},
            "lab": {"type": "str"},
            "machine": {"type": "str"},
        },
        required_together=[("lab", "machine")],
        supports_check_mode=True,
    )
    params = module.params
    try:
        engine = find_engine()
        image = snapshots.reference(params["name"], params["base"], map(Path, params["inputs"]))
        exists = engine.image_exists(image)
        to_do = bool(params["machine"]) and not exists
        if to_do and not module.check_mode:
            snapshots.take(engine, params["lab"], params["machine"], image)
            exists = True
    except (SandboxError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=to_do, image=image, exists=exists)


if __name__ == "__main__":
    main()
