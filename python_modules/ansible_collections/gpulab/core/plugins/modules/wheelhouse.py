#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: wheelhouse
short_description: Download the wheels of a hashed requirements file for other machines
version_added: "0.1.0"
description:
  - Runs C(pip download --require-hashes --only-binary=:all:) for the Python and the architecture of
    the nodes, on the controller, with the sources that pip is configured with there.
  - A folder counts as complete when O(path) with the suffix C(.json) lists what it holds.
author: gpulab
options:
  path:
    description: Folder to fill. Its name should change with the requirements.
    type: path
    required: true
  requirements:
    description: Requirements with exact versions and hashes, without environment markers.
    type: str
    required: true
  target_python:
    description: CPython of the nodes, for example 3.11.
    type: str
    required: true
  target_machine:
    description: Architecture of the nodes, as uname gives it.
    type: str
    required: true
  extra_index_url:
    description: Index to add when the configured sources do not serve everything.
    type: str
    default: ""
  timeout_s:
    description: Seconds after which pip is ended.
    type: int
    default: 3600
attributes:
  check_mode:
    support: full
    description: Says whether it would download.
"""

EXAMPLES = r"""
- name: Download the wheels
  gpulab.core.wheelhouse:
    path: .cache/wheelhouse/cpu-cp311-x86_64-2.13.0-0c1d5c9a7f42
    requirements: "{{ requirements }}"
    target_python: "3.11"
    target_machine: x86_64
  delegate_to: localhost
"""

RETURN = r"""
path:
  description: The folder.
  returned: always
  type: str
  sample: /srv/lab/.cache/wheelhouse/cpu-cp311-x86_64-2.13.0-0c1d5c9a7f42
"""

import sys
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.file_lock import exclusive_lock
from ..module_utils.framework.wheelhouse import Target, WheelhouseError, fill, is_complete, run_pip


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "requirements": {"type": "str", "required": True},
            "target_python": {"type": "str", "required": True},
            "target_machine": {"type": "str", "required": True},
            "extra_index_url": {"type": "str", "default": ""},
            "timeout_s": {"type": "int", "default": 3600},
        },
        supports_check_mode=True,
    )
    path = Path(module.params["path"])
    timeout_s = module.params["timeout_s"]
    changed = not is_complete(path)
    if changed and not module.check_mode:
        path.mkdir(parents=True, exist_ok=True)
        try:
            # Two runs that fill one folder would take its manifest away from each other.
            with exclusive_lock(path, timeout_s):
                changed = not is_complete(path)
                if changed:
                    fill(
                        path,
                        module.params["requirements"],
                        Target(module.params["target_python"], module.params["target_machine"]),
                        python=sys.executable,
                        extra_index_url=module.params["extra_index_url"],
                        timeout_s=timeout_s,
                        run=run_pip,
                    )
        except (WheelhouseError, TimeoutError) as error:
            module.fail_json(msg=str(error))
    module.exit_json(changed=changed, path=str(path))


if __name__ == "__main__":
    main()
