"""ifupdown, netplan and NetworkManager change addresses for real, and go back.

Containers' interfaces: no bond and no VLAN, which are in molecule/network_vm.
"""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from firewall.nodes import Node, Watch
from playbook_run import Play, Run
from testinfra.host import Host

#: Each with another back end.
TARGETS = ["node01", "ubuntu2404", "rocky9"]
STAGE = "playbooks/network.yml"
#: network_confirm_timeout_s of these tests, in seconds.
CONFIRM_S = 30
#: What going back takes besides: three commands, sshd's answer, on a loaded host.
LITTLE_S = 15


@pytest.fixture
def node(host: Host, declared: dict[str, Any]) -> Node:
    """The node under test, past SSH and Ansible."""
    name = host.backend.host.name
    lab = Path(host.backend.ssh_config).parent.name
    return Node(name, str(declared[name]["ansible_host"]), lab)


@pytest.fixture
def wanted(node: Node, declared: dict[str, Any]) -> dict[str, Any]:
    """The interfaces as these tests declare them: eth1 differs from what the engine has set."""
    interfaces: dict[str, Any] = copy.deepcopy(declared[node.name]["node_interfaces"])
    fabric = interfaces["eth1"]
    router = f"{fabric['address'].rpartition('.')[0]}.254"
    fabric["address"] = further(fabric["address"], 100)
    fabric["mtu"] = 8000
    fabric["routes"] = [{"to": "10.99.0.0/16", "via": router}]
    return interfaces


def further(address: str, by: int) -> str:
    """Give the address of the same /24 whose number is larger by that much."""
    network, _, number = address.rpartition(".")
    return f"{network}.{int(number) + by}"


@pytest.fixture
def change(play: Play, node: Node) -> Callable[[dict[str, Any]], Run]:
    """Run the stage on the node under test: ``change(interfaces)``."""

    def run(interfaces: dict[str, Any]) -> Run:
        return play(
            STAGE,
            f"--limit={node.name}",
            "--tags=interfaces",
            node_interfaces=interfaces,
            network_existing="take_over",
            network_confirm_timeout_s=CONFIRM_S,
        )

    return run


def addresses(node: Node, link: str) -> set[str]:
    """Read a link's global addresses, with prefix length."""
    (shown,) = json.loads(node.shell(f"ip -json address show dev {link}"))
    return {
        f"{each['local']}/{each['prefixlen']}"
        for each in shown["addr_info"]
        if each["scope"] == "global"
    }


def network(node: Node) -> str:
    """What of the network must be the same after a change that did not win."""
    return files(node) + node.shell(
        "ip -oneline address show scope global | sed 's/ *valid_lft.*//; s/^[0-9]*: //' | sort; "
        # NetworkManager counts metrics on where a link had another profile before.
        "ip -4 route | sed 's/ metric [0-9]*//' | sort; cat /sys/class/net/eth*/mtu"
    )


def files(node: Node) -> str:
    """Sum up the files of all back ends."""
    return node.shell(
        "find /etc/netplan /etc/network /etc/NetworkManager /var/lib/gpulab/network -type f "
        "-exec sha256sum {} + 2> /dev/null | sort"
    )


def test_what_is_declared_is_set(
    node: Node, wanted: dict[str, Any], change: Callable[[dict[str, Any]], Run]
) -> None:
    with Watch(node) as watch:
        run = change(wanted)
    assert run.returncode == 0, run.stdout
    assert addresses(node, "eth1") == {
        f"{wanted['eth1']['address']}/24",
        f"{wanted['eth1']['address6']}/64",
    }
    assert addresses(node, "eth0") == {
        f"{wanted['eth0']['address']}/24",
        f"{wanted['eth0']['address6']}/64",
    }
    assert node.shell("cat /sys/class/net/eth1/mtu").strip() == "8000"
    route = wanted["eth1"]["routes"][0]
    assert f"{route['to']} via {route['via']} dev eth1" in node.shell("ip -4 route")
    assert watch.outage_s < LITTLE_S


def test_a_second_run_changes_nothing(
    node: Node, wanted: dict[str, Any], change: Callable[[dict[str, Any]], Run]
) -> None:
    before = network(node)
    run = change(wanted)
    assert run.returncode == 0, run.stdout
    assert "changed=0" in run.said.partition("RECAP")[2]
    assert network(node) == before


def test_a_wrong_address_goes_back_by_itself(
    node: Node, wanted: dict[str, Any], change: Callable[[dict[str, Any]], Run]
) -> None:
    before = network(node)
    wrong = copy.deepcopy(wanted)
    wrong["eth0"]["address"] = further(wanted["eth0"]["address"], 100)
    wrong["eth1"]["mtu"] = 9000
    del wrong["eth1"]["routes"]
    with Watch(node) as watch:
        run = change(wrong)
        node.wait_until(node.greets, LITTLE_S)
    assert run.returncode != 0
    assert "No new connection could be opened for" in run.said, run.stdout
    assert "the former state is back" in run.said
    assert CONFIRM_S - LITTLE_S < watch.outage_s < CONFIRM_S + LITTLE_S
    # It answers with its first address, and the back end goes on with the others.
    with contextlib.suppress(AssertionError):
        node.wait_until(lambda: network(node) == before, LITTLE_S)
    assert network(node) == before


def test_a_reboot_before_the_confirmation_brings_the_former_network(
    node: Node, wanted: dict[str, Any], play: Play
) -> None:
    before = files(node)
    changed = copy.deepcopy(wanted)
    changed["eth1"]["address"] = further(wanted["eth1"]["address"], 50)
    run = play(
        "tests/infra/network/applied_only.yml",
        f"--limit={node.name}",
        node_interfaces=changed,
        network_existing="take_over",
    )
    assert run.returncode == 0, run.stdout
    node.wait_until(lambda: f"{changed['eth1']['address']}/24" in addresses(node, "eth1"), 20)
    # As a power cut does; a container boots systemd again. It has addresses before it boots, so
    # this tells what the back end reads then; molecule/network_vm tells what comes of it.
    node.engine.run("kill", node.container)
    node.engine.run("start", node.container)
    node.wait_until(node.greets, 60)
    node.shell("systemctl is-system-running --wait || true")
    assert "the node rebooted before anybody confirmed it" in node.shell("gpulab-rollback status")
    assert files(node) == before
