# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""Documentation of gpulab.core.firewall_show; the code is plugins/action/firewall_show.py."""

DOCUMENTATION = r"""
module: firewall_show
author: The gpulab maintainers
version_added: 0.1.0
short_description: Say who may reach whom, and by which flow
description:
  - Prints who may open connections to whom as a matrix; with O(from) and O(to) whether one
    connection may be opened, by which flow and where that is declared; with O(ruleset_of) one
    node's ruleset.
  - Answers from the declaration. It asks no node, so it does not say what is loaded there; what
    nodes said is given by O(told).
  - Runs on the controller and connects to nothing.
options:
  policy:
    description: RV(gpulab.core.firewall_policy#module:policy).
    type: dict
    required: true
  from:
    description:
      - Where the connection starts. A node, C(node@zone), an address, a zone (any device in
        it) or V(outside).
    type: str
  to:
    description:
      - Where it ends, in the same words, and the port, as in V(node01:22). An IPv6 address stands
        in brackets, as in V([fd00::1]:22). V(icmp) has no port.
    type: str
  protocol:
    description: Protocol of the connection.
    type: str
    choices: [tcp, udp, icmp]
    default: tcp
  ask:
    description: >-
      Whether the nodes on the way are asked next, so that a yes is not printed yet, and
      RV(machines) names them.
    type: bool
    default: false
  told:
    description: >-
      What M(gpulab.core.firewall_others) returned of each of RV(machines). Where a table of others
      drops packets, or a node did not answer, the answer is no yes.
    type: dict
  ruleset_of:
    description: The node whose ruleset is wanted.
    type: str
attributes:
  check_mode:
    description: It changes nothing, so it does the same in check mode.
    support: full
seealso:
  - module: gpulab.core.firewall_policy
"""

EXAMPLES = r"""
- name: May this machine be reached by SSH?
  gpulab.core.firewall_show:
    policy: "{{ firewall_policy.policy }}"
    from: edge01
    to: node01:22
"""

RETURN = r"""
lines:
  description: What it printed.
  returned: success
  type: list
  elements: str
allowed:
  description: Whether the connection may be opened.
  returned: with O(from)
  type: bool
certain:
  description: Whether a yes is not doubted by what nodes said.
  returned: with O(from)
  type: bool
machines:
  description: The nodes on the way, where the declaration says yes.
  returned: with O(from)
  type: list
  elements: str
flows:
  description: The names of the flows that let it through.
  returned: with O(from)
  type: list
  elements: str
sides:
  description:
    - What each node of the lab on the way does. C(machine), C(role) (sender, router, receiver),
      C(allowed), C(why).
  returned: with O(from)
  type: list
  elements: dict
"""
