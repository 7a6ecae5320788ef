"""A lab whose node has everything: a card by MAC, a bond, VLANs, routes, both IP versions."""

from __future__ import annotations

from typing import Any

ZONES: dict[str, Any] = {
    "management": {
        "cidr": "10.20.0.0/24",
        "cidr6": "fd12:3456:789a:1::/64",
        "gateway": "10.20.0.1",
        "gateway6": "fd12:3456:789a:1::1",
    },
    "fabric": {"cidr": "10.20.2.0/24", "cidr6": "fd12:3456:789a:2::/64", "mtu": 9000},
    "storage": {"cidr": "10.20.3.0/24", "vlan": 30, "mtu": 9000},
    "edge": {"cidr": "10.20.4.0/24", "vlan": 40, "gateway": "10.20.4.1"},
}
INTERFACES: dict[str, Any] = {
    "eno1": {
        "zone": "management",
        "address": "10.20.0.12",
        "address6": "fd12:3456:789a:1::12",
        "mac": "3C:EC:EF:00:00:0A",
        "routes": [{"to": "10.99.0.0/16", "via": "10.20.0.254"}],
    },
    "bond0": {
        "zone": "fabric",
        "address": "10.20.2.12",
        "address6": "fd12:3456:789a:2::12",
        "bond": {
            "mode": "802.3ad",
            "members": ["ens1f0", "ens1f1"],
            "lacp_rate": "fast",
            "hash_policy": "layer3+4",
        },
    },
    "bond0.30": {"zone": "storage", "address": "10.20.3.12", "parent": "bond0"},
    "edge": {"zone": "edge", "address": "10.20.4.12", "parent": "eno2", "gateway": False},
}
NAMESERVERS = ("10.20.0.1", "fd12:3456:789a:1::1")
SEARCH = ("aurora.internal",)
#: A fabric of InfiniBand, in a partition.
IB_ZONES: dict[str, Any] = {
    "fabric": {"cidr": "10.30.0.0/24", "pkey": 1, "mtu": 2044},
    "storage": {"cidr": "10.30.1.0/24", "mtu": 4092},
}
IB_INTERFACES: dict[str, Any] = {
    "ib0.8001": {"zone": "fabric", "address": "10.30.0.12", "parent": "ib0"},
    "ib1": {"zone": "storage", "address": "10.30.1.12"},
}
