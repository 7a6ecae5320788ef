#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: firewall_others
author: The gpulab maintainers
version_added: 0.1.0
short_description: Read what other tables than gpulab's drop on a node
description:
  - Reads the base chains of nftables and iptables that drop packets, without C(inet gpulab).
  - Changes nothing.
options: {}
attributes:
  check_mode:
    description: Reads as ever.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
seealso:
  - module: gpulab.core.firewall_show
"""

EXAMPLES = r"""
- name: Read what others drop
  gpulab.core.firewall_others:
  register: others
"""

RETURN = r"""
chains:
  description: >-
    Of each such chain C(family), C(table), C(chain), C(hook), C(closed) (whether it drops what none
    of its rules accepts) and C(drops) (how many rules drop some packets).
  type: list
  elements: dict
  returned: success
unread:
  description: Why some of them are not known; empty where all are.
  type: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.firewall import live_state


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    module.exit_json(changed=False, **live_state.read_foreign())


if __name__ == "__main__":
    main()
