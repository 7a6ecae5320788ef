# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""Documentation of gpulab.core.firewall_policy; the code is plugins/action/firewall_policy.py."""

DOCUMENTATION = r"""
module: firewall_policy
short_description: Collect what the lab's firewall is compiled from
version_added: 0.1.0
author: The gpulab maintainers
description:
  - Puts together the zones (C(lab_zones)), all nodes with their interfaces and groups, the flows
    that are declared (C(lab_flows)), and the flows that the roles want.
  - A role wants what stands in its C(meta/flows.yml), a list like C(lab_flows). Templates in it may
    refer to variables that all nodes have with one value, to C(groups), and to the role's
    defaults. A flow there may have C(when), a template that gives true or false, and C(loop), a
    list for each item of which it is wanted; templates call it C(item).
  - The name of a role's flow is put after the role's, as in C(time.serve), so that no name is taken
    twice.
  - A role's flow between ends that this lab does not have opens nothing, and is told in
    RV(left_out). In C(lab_flows) the same is a mistake.
  - The bridges of a node's container engines are its C(firewall_container_interfaces), of the
    inventory; the role C(firewall) says what they are without it.
  - Takes all nodes of the inventory, whatever C(--limit) says, and connects to none of them.
options:
  roles:
    description:
      - Folders to look for roles in; the first role of a name counts.
      - Left out, C(roles) beside the playbook and the C(roles_path) of the configuration.
    type: list
    elements: path
attributes:
  check_mode:
    description: It changes nothing, so it does the same in check mode.
    support: full
notes:
  - Runs on the controller, with the Python package C(jsonschema). Needs ansible-core 2.19 or newer.
seealso:
  - module: gpulab.core.declaration
"""

EXAMPLES = r"""
- name: Collect what the firewall is compiled from
  gpulab.core.firewall_policy:
  delegate_to: localhost
  run_once: true
  register: firewall_policy

# roles/time/meta/flows.yml
- name: serve
  from: all
  to: controllers
  protocol: udp
  ports: [123]
"""

RETURN = r"""
policy:
  description: The zones, nodes and flows, as plain values.
  returned: success
  type: dict
  contains:
    zones:
      description: C(lab_zones).
      returned: success
      type: dict
    nodes:
      description: For each node its C(interfaces) that are in a zone, and its C(groups).
      returned: success
      type: dict
    flows:
      description: As C(lab_flows) declares them; C(origin) says who wants each.
      returned: success
      type: list
      elements: dict
      sample:
        - name: time.serve
          from: all
          to: controllers
          protocol: udp
          ports: [123]
          origin: role time
left_out:
  description: Flows of roles that open nothing in this lab, and why.
  returned: success
  type: list
  elements: str
  sample: ["ssh.bastion-in: there is no zone, group or node 'bastions'"]
errors:
  description: The mistakes, as M(gpulab.core.declaration) tells them; a role's with its file.
  returned: failure
  type: list
  elements: str
"""
