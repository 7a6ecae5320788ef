# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The options of Ansible's SSH connection, as this release of Ansible has them."""

from __future__ import annotations

import yaml
from ansible.plugins.connection import ssh


class ModuleDocFragment:
    """Options that name a machine and say how ssh reaches it."""

    DOCUMENTATION = yaml.safe_dump({"options": yaml.safe_load(ssh.DOCUMENTATION)["options"]})
