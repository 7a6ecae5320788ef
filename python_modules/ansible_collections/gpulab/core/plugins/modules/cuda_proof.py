#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: cuda_proof
short_description: Prove that CUDA toolkits compile, link and run a program
version_added: "0.1.0"
description:
  - Compiles and links a program with the nvcc of each toolkit. Where a GPU and its loaded driver
    are there, runs it; it adds up on every GPU.
  - Compares C(/usr/local/cuda) with the toolkit that is declared the default.
author: gpulab
extends_documentation_fragment: gpulab.core.gpu_proof
options:
  versions:
    description: The toolkits that must be there.
    type: list
    elements: str
    required: true
  default:
    description: The toolkit that C(/usr/local/cuda) must be.
    type: str
    required: true
  codes:
    description: >-
      Node codes of the node's GPUs without "sm_", as in V(80). Empty for what nvcc takes by
      itself.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    description: It only compiles, in a folder that it removes.
"""

EXAMPLES = r"""
- name: Prove the toolkits
  gpulab.core.cuda_proof:
    versions: ["12.8"]
    default: "12.8"
    codes: ["80", "90"]
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

import os
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.gpu_software.cuda_proof import Node, prove


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "versions": {"type": "list", "elements": "str", "required": True},
            "default": {"type": "str", "required": True},
            "codes": {"type": "list", "elements": "str", "default": []},
            "gpus": {"type": "int", "required": True},
            "loaded": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    options = module.params
    # CUDA_HOME of whoever started this must not decide.
    os.environ.pop("CUDA_HOME", None)
    node = Node(options["codes"], options["gpus"], options["loaded"])
    with tempfile.TemporaryDirectory() as folder:
        proof = prove(options["versions"], options["default"], node, Path(folder))
    module.exit_json(changed=False, lines=proof.lines, problems=proof.problems)


if __name__ == "__main__":
    main()
