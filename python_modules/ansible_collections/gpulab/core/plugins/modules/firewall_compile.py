# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""Documentation of gpulab.core.firewall_compile; the code is plugins/action/firewall_compile.py."""

DOCUMENTATION = r"""
module: firewall_compile
author: The gpulab maintainers
version_added: 0.1.0
short_description: Compile the lab's policy into a ruleset for each node
description:
  - Gives each node the rules for its own side of the flows, as text for C(nft -f). One table is
    replaced in one transaction; tables of others are not touched.
  - The same policy gives the same bytes, in whatever order it was declared.
  - Runs on the controller and connects to nothing.
options:
  policy:
    description: RV(gpulab.core.firewall_policy#module:policy).
    type: dict
    required: true
  machines:
    description: The nodes to compile for; all of the policy where it is left out.
    type: list
    elements: str
attributes:
  check_mode:
    description: It changes nothing, so it does the same in check mode.
    support: full
seealso:
  - module: gpulab.core.firewall_policy
  - module: gpulab.core.firewall_show
"""

EXAMPLES = r"""
- name: Compile the firewalls
  gpulab.core.firewall_compile:
    policy: "{{ firewall_policy.policy }}"
  run_once: true
  register: firewall_compiled
"""

RETURN = r"""
rulesets:
  description: The text for C(nft -f) by machine.
  returned: success
  type: dict
  sample: {node01: "#!/usr/sbin/nft -f\n"}
"""
