#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: pair_test
author: The gpulab maintainers
version_added: 0.1.0
short_description: Measure bandwidth and round trip to another node
description:
  - Sends packets by C(ping), then measures each direction by itself with C(iperf3) over TCP,
    against the server that M(gpulab.core.pair_server) runs on the other node.
  - What fails, or does not end in time, is told in the measurement; the task does not fail by it.
  - Changes nothing.
options:
  client:
    description: This node's name, for the measurement.
    type: str
    required: true
  server:
    description: The other node's name, for the measurement.
    type: str
    required: true
  address:
    description: The other node's address.
    type: str
    required: true
  source:
    description: This node's own address in the same network.
    type: str
    required: true
  again:
    description: Whether this is the retest, for the measurement.
    type: bool
    default: false
  port:
    description: The first server's port.
    type: int
    default: 5201
  processes:
    description: iperf3 processes side by side, each with a server of its own.
    type: int
    default: 1
  streams:
    description: TCP connections of each process.
    type: int
    default: 4
  seconds:
    description: How long each direction is measured.
    type: int
    default: 3
  omit_s:
    description: Seconds before that, in which TCP finds its speed.
    type: int
    default: 1
  pings:
    description: Packets of the round trip, one every 10 ms.
    type: int
    default: 200
attributes:
  check_mode:
    description: Measures nothing in check mode and says so.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: Measure to node02
  gpulab.core.pair_test:
    client: node01
    server: node02
    address: 10.20.2.12
    source: 10.20.2.11
  register: pair
"""

RETURN = r"""
measurement:
  description:
    - C(client), C(server) and C(again) as given, and three parts, each with C(error), which is
      empty where it ran.
    - C(round_trip) has C(sent), C(received), C(loss_percent), C(min_ms), C(mean_ms), C(p50_ms),
      C(p95_ms), C(max_ms).
    - C(forward), which the client sent, and C(reverse) have C(gbps) (received, Gb/s), C(bytes),
      C(seconds), C(retransmits), and C(sender_cpu), C(receiver_cpu) in percent of a core.
  type: dict
  returned: when it measured
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.pairs.measure import Order, measure

ARGUMENTS = {
    "client": {"type": "str", "required": True},
    "server": {"type": "str", "required": True},
    "address": {"type": "str", "required": True},
    "source": {"type": "str", "required": True},
    "again": {"type": "bool", "default": False},
    "port": {"type": "int", "default": 5201},
    "processes": {"type": "int", "default": 1},
    "streams": {"type": "int", "default": 4},
    "seconds": {"type": "int", "default": 3},
    "omit_s": {"type": "int", "default": 1},
    "pings": {"type": "int", "default": 200},
}
LEAST = {"port": 1, "processes": 1, "streams": 1, "seconds": 1, "omit_s": 0, "pings": 1}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = dict(module.params)
    for name, least in LEAST.items():
        if params[name] < least:
            module.fail_json(msg=f"{name} must be {least} or more, not {params[name]}")
    if module.check_mode:
        module.exit_json(changed=False, skipped=True, msg="check mode: nothing was measured")
    pair = {name: params.pop(name) for name in ("client", "server", "again")}
    module.exit_json(changed=False, measurement={**pair, **measure(Order(**params))})


if __name__ == "__main__":
    main()
