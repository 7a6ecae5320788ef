#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: firewall_info
author: The gpulab maintainers
version_added: 0.1.0
short_description: Compare a node's firewall with what was compiled for it, and plan the change
description:
  - Reads the node once. Whether nftables is there, whether the table C(inet gpulab) is what
    O(ruleset) says, which other firewalls are active, which tables of others drop packets, which
    interfaces there are, and by which connection Ansible came.
  - Fails before anything is changed where O(ruleset) would not let that connection in, where
    another firewall is active and O(existing) says V(refuse), where a table that no known service
    loads drops what it does not know, and where interfaces would be closed that nobody declared
    (O(undeclared)).
  - Warns of what other tables drop besides, and of what could not be read.
  - Returns what M(gpulab.core.commit) needs to make the change.
options:
  ruleset:
    description: What M(gpulab.core.firewall_compile) compiled for the node.
    type: str
    required: true
  policy:
    description: What M(gpulab.core.firewall_policy) collected.
    type: dict
    required: true
  existing:
    description: What to do with another firewall that is active.
    type: str
    choices: [refuse, take_over]
    default: refuse
  undeclared:
    description: >-
      What to do where an interface is in use, in no zone, and named by no pattern of the node's
      C(firewall_container_interfaces).
    type: str
    choices: [refuse, warn]
    default: refuse
  witnesses:
    description: Nodes that could try SSH access after the change, the best first.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: It changes nothing, so it does the same in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Compare the firewall with what was compiled
  gpulab.core.firewall_info:
    ruleset: "{{ compiled.rulesets[inventory_hostname] }}"
    policy: "{{ collected.policy }}"
  register: firewall
"""

RETURN = r"""
nft:
  description: Whether nftables is installed.
  type: bool
  returned: always
live:
  description: >-
    Whether the table that is loaded is C(same), what is C(different), and C(former), a ruleset that
    puts it back.
  type: dict
  returned: always
persisted:
  description: Whether the ruleset that is loaded at boot is this one.
  type: bool
  returned: always
enabled:
  description: Whether it is loaded at boot.
  type: bool
  returned: always
others:
  description: Other firewalls that rule now or will after a reboot, and whether they do so now.
  type: dict
  returned: always
  sample: {firewalld: true}
forwarding:
  description: Whether the kernel forwards, by the name of the sysctl.
  type: dict
  returned: always
interfaces:
  description: >-
    The node's interfaces, each with C(name), C(up), C(kind), C(master), C(parent) and C(addresses);
    none where they could not be read.
  type: list
  elements: dict
  returned: always
connections:
  description: >-
    How many connections the kernel follows C(now), at most C(max), and how many were C(lost) since
    boot to make room for others; none where it follows none.
  type: dict
  returned: always
foreign:
  description: >-
    C(chains), base chains of other tables that drop packets, and C(unread), why some are not known.
  type: dict
  returned: always
connection:
  description: >-
    C(client), C(server) and C(port) of the SSH connection that Ansible came by, as the node sees
    it; none for other connections.
  type: dict
  returned: always
change:
  description: Options for M(gpulab.core.commit).
  type: dict
  returned: success
witness:
  description: C(name) of a node that may reach this one's SSH port, and the C(address) it uses.
  type: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.firewall import live_state


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={"ruleset": {"type": "str", "required": True}}, supports_check_mode=True
    )
    module.exit_json(changed=False, **live_state.read(module.params["ruleset"]))


if __name__ == "__main__":
    main()
