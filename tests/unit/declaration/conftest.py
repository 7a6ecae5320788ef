"""A sound lab in plain Python, small enough to read, with every kind of variable."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.specs import BUILTIN_SPECS
from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.check import check_declaration
from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.model import (
    Declaration,
    Host,
    Problem,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.sources import Sources

ROOT = Path(__file__).resolve().parents[3]
GROUPS = {
    "controllers": ["head01"],
    "compute": ["node01", "node02"],
    "storage": ["store01", "router01"],
    "edge": ["edge01"],
    "nvidia": ["node01", "node02"],
    "ups_attached": ["head01", "node01", "node02", "store01"],
    "monitored": [],
}
KEY_ALICE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA" + "A" * 41 + "B alice@laptop"
KEY_BOB = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA" + "A" * 41 + "C bob@laptop"


@dataclass
class Lab:
    """A declaration that a test may change before it is checked.

    ``raw`` holds what is written where that differs from the value: templates.
    """

    lab: dict[str, Any]
    hosts: dict[str, dict[str, Any]]
    groups: dict[str, list[str]]
    raw: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def check(self, sources: Sources | None = None) -> list[dict[str, Any]]:
        """Run every check."""
        hosts = [
            Host(
                name,
                tuple(sorted(group for group, members in self.groups.items() if name in members)),
                variables,
                {**variables, **self.raw.get(name, {})},
            )
            for name, variables in self.hosts.items()
        ]
        declaration = Declaration(
            self.lab,
            tuple(hosts),
            frozenset(self.groups),
            tuple(self.problems),
            {**self.lab, **self.raw.get("", {})},
        )
        return check_declaration(declaration, schema(), sources or Sources(), BUILTIN_SPECS)


def schema() -> dict[str, Any]:
    """The schema as it is shipped."""
    text = (ROOT / "inventory" / "lab.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def _machine(number: int, **more: Any) -> dict[str, Any]:
    return {
        "node_serial": f"SN-{number:03}",
        "node_mac": f"3c:ec:ef:00:00:{number:02x}",
        "node_rack": "R1",
        "node_unit": 10 + number,
        "node_interfaces": {
            "eno1": {"zone": "management", "address": f"10.20.0.{10 + number}"},
            "ens1": {"zone": "fabric", "address": f"10.20.2.{10 + number}", "mtu": 9000},
        },
        "node_root_disk": {"serial": f"ROOT-{number}", "path": "/dev/nvme0n1"},
        "node_protected_disks": [f"DATA-{number}"],
        "node_bmc": {
            "address": f"10.20.1.{10 + number}",
            "protocol": "redfish",
            "username": "lab",
            "password": "correct horse battery",
        },
        "node_power_feeds": ["ups-a"],
        **more,
    }


@pytest.fixture
def sound() -> Lab:
    """A lab without a mistake."""
    lab = {
        "lab_name": "aurora",
        "lab_domain": "aurora.internal",
        "lab_timezone": "Europe/Berlin",
        "lab_locale": "en_US.UTF-8",
        "lab_users": [
            {"name": "alice", "ssh_keys": [KEY_ALICE], "sudo": True},
            {"name": "bob", "ssh_keys": [KEY_BOB], "groups": ["video"], "shell": "/bin/bash"},
            {"name": "carol", "state": "absent"},
        ],
        "lab_ntp_upstreams": ["ptbtime1.ptb.de"],
        "lab_zones": {
            "management": {
                "cidr": "10.20.0.0/24",
                "cidr6": "fd12:3456:789a::/64",
                "vlan": 10,
                "gateway": "10.20.0.1",
                "gateway6": "fd12:3456:789a::1",
                "masquerade": {"by": "head01", "for": ["fabric"]},
            },
            "bmc": {"cidr": "10.20.1.0/24", "vlan": 11},
            "fabric": {"cidr": "10.20.2.0/24", "vlan": 20, "mtu": 9000},
            "edge": {"cidr": "10.20.3.0/24", "vlan": 30},
            "storage": {"cidr": "10.20.4.0/24", "vlan": 40, "mtu": 9000, "pkey": 40},
            "public": {
                "cidr": "10.20.5.0/24",
                "cidr6": "fd12:3456:789a:5::/64",
                "gateway": "10.20.5.1",
                "gateway6": "fd12:3456:789a:5::1",
                "outside": True,
                "public": True,
                "masquerade": {"by": "router01", "for": ["management", "storage"]},
            },
        },
        "lab_flows": [
            {
                "name": "ssh",
                "from": "head01",
                "to": "edge",
                "protocol": "tcp",
                "ports": [22, "8000-8100"],
            },
            {"name": "ping", "from": "management", "to": "compute", "protocol": "icmp"},
            {
                "name": "web",
                "from": "management",
                "to": "outside",
                "protocol": "tcp",
                "ports": [443],
                "rate": "30/minute",
                "log": True,
            },
            {"name": "train", "from": "compute@fabric", "to": "node02@fabric", "protocol": "any"},
            {"name": "names", "from": "all", "to": "gateways", "protocol": "udp", "ports": [53]},
            {"name": "out", "from": "public", "to": "outside", "protocol": "tcp", "ports": [80]},
            {"name": "jump", "from": "outside", "to": "head01", "protocol": "tcp", "ports": [22]},
        ],
        "lab_hardware_specs": {
            "a100": {"extends": "compute-minimum", "gpu": {"count": 2}},
            "server": {"memory": {"gib_min": 64}},
        },
        "lab_upses": {
            "ups-a": {
                "driver": "usbhid-ups",
                "port": "auto",
                "attached_to": "head01",
                "rack": "R1",
                "unit": 1,
            }
        },
        "lab_cooling": {"inlet_celsius": {"warn": 27, "critical": 35}},
        "lab_software": {
            "nvidia_driver": {"branch": "580", "version": "580.95.05", "source": "auto"},
            "cuda": {"versions": ["12.9", "13.0"], "default": "13.0", "cudnn": "9", "nccl": "2"},
            "nvidia_container": {"version": "1.18.0"},
            "dcgm": {"version": "4"},
            "pytorch": {"version": "2.13.0", "build": "auto"},
            "tensorflow": {"version": "2.21.0", "build": "auto"},
        },
    }
    hosts = {
        "head01": _machine(1, ansible_user="gpulab"),
        "node01": _machine(
            2,
            node_hardware_spec="a100",
            node_gpu={
                "power_limit_w": 300,
                "clocks_mhz": {"graphics": 1410, "memory": 1593},
                "persistence": True,
                "mig": ["3g.40gb", "1g.10gb+me"],
            },
        ),
        "node02": _machine(3, node_hardware_spec="a100"),
        "store01": _machine(4, node_hardware_spec="server"),
        "router01": {
            "node_interfaces": {
                "eth0": {"zone": "management", "address": "10.20.0.60"},
                "bond0": {
                    "mtu": 9000,
                    "bond": {
                        "mode": "802.3ad",
                        "members": ["eth1", "eth2"],
                        "lacp_rate": "fast",
                        "hash_policy": "layer3+4",
                    },
                },
                "bond0.40": {"parent": "bond0", "zone": "storage", "address": "10.20.4.60"},
                "bond0.30": {"parent": "bond0", "zone": "edge", "address": "10.20.3.60"},
                "bond1": {
                    "zone": "public",
                    "address": "10.20.5.60",
                    "address6": "fd12:3456:789a:5::60",
                    "bond": {
                        "mode": "active-backup",
                        "members": ["eth3", "eth4"],
                        "primary": "eth3",
                    },
                    "gateway": True,
                    "routes": [{"to": "10.99.0.0/16", "via": "10.20.5.7"}],
                },
            }
        },
        "edge01": {"node_interfaces": {"eth0": {"zone": "edge", "address": "10.20.3.11"}}},
    }
    hosts["store01"]["node_interfaces"] |= {
        "ens1.40": {"parent": "ens1", "zone": "storage", "address": "10.20.4.14"},
        "ens1.30": {"parent": "ens1", "zone": "edge", "address": "10.20.3.14"},
    }
    secret = {"node_bmc": {"password": "{{ vault_bmc_password }}"}}
    raw = {name: secret for name in hosts if "node_bmc" in hosts[name]}
    return Lab(lab, hosts, {name: list(members) for name, members in GROUPS.items()}, raw)
