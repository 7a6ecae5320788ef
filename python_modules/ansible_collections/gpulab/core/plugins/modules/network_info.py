#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: network_info
author: The gpulab maintainers
version_added: 0.1.0
short_description: Read a node's interfaces and routes, and which files of which program set them
description:
  - One look for all that the role network decides by. Changes nothing.
  - Passwords in configuration files are left out.
options:
  interfaces:
    description:
      - The node's C(node_interfaces). With it, the module says where the node is not as
        declared.
    type: dict
  zones:
    description: The lab's C(lab_zones).
    type: dict
    default: {}
  wait_s:
    description: Seconds in which the node may become as declared; bonds and VLANs take some.
    type: int
    default: 0
attributes:
  check_mode:
    description: Reads as ever.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: Read the network
  gpulab.core.network_info:
  register: found

- name: Say what would be done
  ansible.builtin.debug:
    msg: "{{ found.network | gpulab.core.network_plan(node_interfaces, lab_zones) }}"
"""

RETURN = r"""
network:
  description:
    - C(links), C(routes4) and C(routes6) as iproute2 tells them; C(cards), name to driver;
      C(permanent), name to the card's own MAC; C(units) and C(programs) of back ends; C(files),
      path to text; C(secret), the files that hold a password.
  type: dict
  returned: always
differences:
  description: Where what runs is not what is declared. Empty without O(interfaces).
  type: list
  elements: str
  returned: always
  sample: ["eno1 has MTU 1500, not 9000"]
rdma:
  description: RDMA devices and what their network cards can be set to.
  type: dict
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.network.rdma import read_rdma
from ..module_utils.network.read import ReadError, read_network


def main() -> None:
    """Run the module."""
    # The action takes the options: it compares, on the controller.
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    try:
        network = read_network()
    except ReadError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, network=network, rdma=read_rdma())


if __name__ == "__main__":
    main()
