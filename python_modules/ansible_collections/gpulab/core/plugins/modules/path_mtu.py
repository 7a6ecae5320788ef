#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: path_mtu
author: The gpulab maintainers
version_added: 0.1.0
short_description: Check that packets of a zone's MTU reach the next node whole
description:
  - Pings each of O(targets) with packets of exactly its MTU that must not be cut (don't fragment).
    Fails where one does not come back, and says which link it is and whether smaller packets pass.
  - Changes nothing. The targets come from P(gpulab.core.path_mtu_rings#filter), a ring over each
    zone's machines.
options:
  targets:
    description: Whom to ping.
    type: list
    elements: dict
    required: true
    suboptions:
      zone:
        description: The zone, for the message.
        type: str
        required: true
      interface:
        description: This machine's interface in it.
        type: str
        required: true
      peer:
        description: The other machine, for the message.
        type: str
        required: true
      address:
        description: Its address in the zone, IPv4 or IPv6.
        type: str
        required: true
      mtu:
        description: Size of the whole IP packet, bytes.
        type: int
        required: true
attributes:
  check_mode:
    description: Does nothing in check mode and says so; the interfaces may not be there yet.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: Check the MTU end to end
  gpulab.core.path_mtu:
    targets:
      - {zone: fabric, interface: bond0, peer: node02, address: 10.20.2.12, mtu: 9000}
"""

RETURN = r"""
passed:
  description: The links that passed.
  type: list
  elements: str
  returned: always
  sample: ["fabric: bond0 to node02 (10.20.2.12) with 9000 bytes"]
failed_links:
  description: The links that did not, each with what is known.
  type: list
  elements: str
  returned: always
"""

from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.network import path_mtu
from ..module_utils.process import call

TARGET = {
    "zone": {"type": "str", "required": True},
    "interface": {"type": "str", "required": True},
    "peer": {"type": "str", "required": True},
    "address": {"type": "str", "required": True},
    "mtu": {"type": "int", "required": True},
}
#: ping's own deadline comes first.
TIMEOUT_S = path_mtu.DEADLINE_S + 10.0


def ping(target: dict[str, Any], mtu: int) -> str:
    """Ping one target; give what was said."""
    words = path_mtu.command(target["address"], target["interface"], mtu)
    return call("env", "LC_ALL=C", *words, timeout_s=TIMEOUT_S)[1]


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "targets": {"type": "list", "elements": "dict", "required": True, "options": TARGET}
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        msg = "check mode: the interfaces may not be there yet, so nothing was pinged"
        module.exit_json(changed=False, skipped=True, msg=msg, passed=[], failed_links=[])
    passed, failed = [], []
    for target in module.params["targets"]:
        link = (
            f"{target['zone']}: {target['interface']} to {target['peer']} ({target['address']}) "
            f"with {target['mtu']} bytes"
        )
        wrong = path_mtu.judge(partial(ping, target), target["mtu"])
        if wrong:
            failed.append(f"{link}: {wrong}")
        else:
            passed.append(link)
    if failed:
        msg = f"packets that must not be cut did not come back: {'; '.join(failed)}"
        module.fail_json(msg=msg, passed=passed, failed_links=failed)
    module.exit_json(changed=False, passed=passed, failed_links=[])


if __name__ == "__main__":
    main()
