#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: dnf_repositories
short_description: Read which dnf repositories can't come through a lab's mirror
version_added: "0.1.0"
description:
  - Reads the repository files as dnf does, without asking any server.
author: gpulab
options:
  folders:
    description: Folders of repository files. By default those of dnf.conf(5), C(reposdir).
    type: list
    elements: path
    default: [/etc/yum.repos.d, /etc/yum/repos.d, /etc/distro.repos.d]
attributes:
  check_mode:
    support: full
    description: It only reads.
"""

EXAMPLES = r"""
- name: Look for repositories that would go past the head
  gpulab.core.dnf_repositories:
  register: repositories
"""

RETURN = r"""
past_the_head:
  description: Of each repository that can't, its id, its file, why, and what to write.
  returned: success
  type: list
  elements: str
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.mirror.repositories import parse, past_the_head


def main() -> None:
    """Run the module."""
    folders = ["/etc/yum.repos.d", "/etc/yum/repos.d", "/etc/distro.repos.d"]
    module = AnsibleModule(
        argument_spec={"folders": {"type": "list", "elements": "path", "default": folders}},
        supports_check_mode=True,
    )
    try:
        repositories = [
            repository
            for folder in module.params["folders"]
            for file in sorted(Path(folder).glob("*.repo"))
            for repository in parse(str(file), file.read_text(encoding="utf-8"))
        ]
    except (OSError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, past_the_head=past_the_head(repositories))


if __name__ == "__main__":
    main()
