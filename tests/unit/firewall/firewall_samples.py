"""A small lab with a head that routes and masquerades, as plain values."""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.gpulab.core.plugins.plugin_utils.firewall.policy import (
    Policy,
    policy_from_plain,
)

LAB: dict[str, Any] = {
    "zones": {
        "management": {"cidr": "10.1.0.0/24", "cidr6": "fd00:1::/64", "gateway": "10.1.0.1"},
        "fabric": {"cidr": "10.2.0.0/24"},
        "edge": {
            "cidr": "10.3.0.0/24",
            "cidr6": "fd00:3::/64",
            "gateway": "10.3.0.1",
            "gateway6": "fd00:3::1",
            "outside": False,
        },
        # A network of documents: in this lab it stands for one that strangers see.
        "public": {
            "cidr": "198.51.100.0/24",
            "gateway": "198.51.100.1",
            "public": True,
            "masquerade": {"by": "head01", "for": ["management", "edge"]},
        },
    },
    "nodes": {
        "head01": {
            "interfaces": {
                "eth0": {"zone": "management", "address": "10.1.0.1", "address6": "fd00:1::1"},
                "eth1": {"zone": "edge", "address": "10.3.0.1", "address6": "fd00:3::1"},
                "eth2": {"zone": "public", "address": "198.51.100.9"},
            },
            "groups": ["controllers"],
        },
        "node01": {
            "interfaces": {
                "eth0": {"zone": "management", "address": "10.1.0.11", "address6": "fd00:1::b"},
                "eth1": {"zone": "fabric", "address": "10.2.0.11"},
            },
            "groups": ["compute"],
        },
        "node02": {
            "interfaces": {
                "eth0": {"zone": "management", "address": "10.1.0.12", "address6": "fd00:1::c"},
                "br-fab": {"zone": "fabric", "address": "10.2.0.12"},
            },
            "groups": ["compute"],
        },
        "edge01": {
            "interfaces": {
                "eth0": {"zone": "edge", "address": "10.3.0.21", "address6": "fd00:3::21"}
            },
            "groups": ["edge_devices"],
        },
    },
    "flows": [],
}


def flow(name: str, source: str, target: str, what: str = "tcp 22", **more: Any) -> dict[str, Any]:
    """Declare a flow; `what` is ``tcp 22,8000-8100``, ``icmp`` or ``any``."""
    protocol, _, ports = what.partition(" ")
    body = {"name": name, "from": source, "to": target, "protocol": protocol, **more}
    return body | ({"ports": ports.split(",")} if ports else {})


def lab(*flows: dict[str, Any], **changes: Any) -> Policy:
    """Return the lab with these flows; `changes` replaces its zones or nodes."""
    plain = copy.deepcopy(LAB)
    plain["flows"] = list(flows)
    for where, value in changes.items():
        plain[where] = value
    return policy_from_plain(plain)
