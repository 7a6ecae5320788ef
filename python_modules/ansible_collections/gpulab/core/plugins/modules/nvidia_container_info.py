#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: nvidia_container_info
short_description: Read what decides whether containers can get GPUs
version_added: "0.1.0"
description:
  - Reads the container engines, docker's configuration and the units that keep the CDI
    specification in step with the driver.
author: gpulab
options:
  service:
    description: The service that writes the CDI specification.
    type: str
    required: true
  path_unit:
    description: The path unit that starts it when the driver changes.
    type: str
    required: true
attributes:
  check_mode:
    support: full
    description: It only reads.
"""

EXAMPLES = r"""
- name: Look for container engines
  gpulab.core.nvidia_container_info:
    service: nvidia-cdi-refresh.service
    path_unit: nvidia-cdi-refresh.path
"""

RETURN = r"""
container:
  description: >-
    C(podman) and C(docker), versions, V("0") where an engine is not installed; C(daemon), what
    /etc/docker/daemon.json says; C(daemon_problem), why it can't be read; C(running), how many
    containers docker runs; C(off), which of the units would not do their work.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.gpu_software.containers import look


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "service": {"type": "str", "required": True},
            "path_unit": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    found = look(module.params["service"], module.params["path_unit"])
    module.exit_json(changed=False, container=found)


if __name__ == "__main__":
    main()
