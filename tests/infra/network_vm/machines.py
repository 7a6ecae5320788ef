"""Two virtual machines of the scenario: what is read of them, and what they are declared to be."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

from testinfra.host import Host

FILES = "/etc/systemd/network"


def addresses(host: Host, link: str) -> set[str]:
    """Read a link's global addresses, with prefix length."""
    shown = json.loads(host.check_output(f"ip -json address show dev {link}"))
    return {
        f"{each['local']}/{each['prefixlen']}"
        for each in shown[0]["addr_info"]
        if each["scope"] == "global"
    }


def link(host: Host, name: str) -> dict[str, Any]:
    """Read a link with its details."""
    shown: list[dict[str, Any]] = json.loads(
        host.check_output(f"ip -json -details link show dev {name}")
    )
    return shown[0]


def state(host: Host) -> str:
    """What of the network must be the same after a change that did not win."""
    return host.check_output(
        'cd / && for f in etc/systemd/network/*; do echo "== $f"; cat $f; done;'
        "ip -brief address | sort; ip route; nft -s list table inet gpulab 2> /dev/null || true"
    )


def boot_id(host: Host) -> str:
    """Read which boot of the node this is; "" while it does not answer."""
    words = ["ssh", "-F", host.backend.ssh_config, "-o", "ConnectTimeout=10", "-o", "BatchMode=yes"]
    words += [host.backend.host.name, "cat /proc/sys/kernel/random/boot_id"]
    try:
        # A connection that the power cut catches would wait for ever.
        # Killed, it leaves a standard input that it shares with us in a state that Ansible refuses.
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout.strip()


def ping(host: Host, address: str) -> bool:
    """Say whether one of five pings is answered."""
    return host.run(f"ping -c 5 -i 0.3 -w 10 {address}").succeeded


def octet(declared: dict[str, Any], name: str) -> str:
    """Give a node's number, the last of each of its addresses."""
    return str(declared[name]["ansible_host"].rpartition(".")[2])


def fabric(declared: dict[str, Any], name: str) -> str:
    """Give a node's address in the fabric."""
    return str(declared[name]["node_interfaces"]["eth1"]["address"])


def interfaces(declared: dict[str, Any], name: str) -> dict[str, Any]:
    """Write a node's interfaces as molecule/network_vm/inventory/network.yml has them."""
    of, number = declared[name], octet(declared, name)
    return {
        "eth0": {"zone": "management", "address": of["ansible_host"], "gateway": True},
        "bond0": {
            "zone": "fabric",
            "address": fabric(declared, name),
            "address6": f"fd12:3456:789a:20::{number}",
            "bond": {"mode": "active-backup", "members": ["eth1", "eth2"], "primary": "eth1"},
        },
        "bond0.30": {
            "zone": "storage",
            "address": f"10.77.30.{number}",
            "address6": f"fd12:3456:789a:30::{number}",
            "parent": "bond0",
        },
        "eth3": {"zone": "narrow", "address": of["node_interfaces"]["eth3"]["address"]},
    }


def cut_power(host: Host) -> None:
    """Take a node's power away for a moment, and wait until it has booted again."""
    boot = boot_id(host)
    # What was not confirmed must not depend on a clean shutdown.
    host.check_output("sync; systemd-run --quiet sh -c 'sleep 3; echo b > /proc/sysrq-trigger'")
    deadline = time.monotonic() + 600
    while boot_id(host) in ("", boot):
        assert time.monotonic() < deadline, "the machine did not come back"
        time.sleep(5)
    host.check_output("systemctl is-system-running --wait || true")
