"""Interfaces of nodes with kernels of their own: bonds, VLANs, jumbo packets, RDMA, going back.

The tests build on each other: each costs minutes under emulation. Before the first, the nodes
are as an installer leaves them.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

import pytest
from network_vm.machines import (
    FILES,
    addresses,
    cut_power,
    fabric,
    interfaces,
    link,
    octet,
    ping,
    state,
)
from playbook_run import Play
from testinfra.host import Host

Machine = Callable[[str], Host]
Converge = Callable[..., Any]
NODES = ("vm01", "vm02")
STAGE = "playbooks/network.yml"


@pytest.fixture
def nodes(machine: Machine) -> dict[str, Host]:
    """Both machines."""
    return {name: machine(name) for name in NODES}


def test_files_of_others_and_the_mac_of_another_card_are_refused(
    play: Play, nodes: dict[str, Host], declared: dict[str, Any]
) -> None:
    before = state(nodes["vm01"])
    wrong = interfaces(declared, "vm01")
    wrong["eth0"]["mac"] = link(nodes["vm01"], "eth3")["address"]
    run = play(
        STAGE,
        "--limit=vm01",
        "--tags=interfaces",
        network_existing="refuse",
        node_interfaces=wrong,
    )
    assert run.returncode != 0
    assert f"{wrong['eth0']['mac']} is eth3 on this machine" in run.said
    assert f"{FILES}/20-management.network is not gpulab's and is about eth0, too" in run.said
    assert "set network_existing to take_over" in run.said
    assert state(nodes["vm01"]) == before


def test_check_mode_on_a_bare_machine_shows_and_touches_nothing(
    play: Play, nodes: dict[str, Host]
) -> None:
    before = state(nodes["vm01"])
    run = play(STAGE, "--limit=vm01", "--tags=interfaces", "--check", "--diff")
    assert run.returncode == 0, run.stdout
    assert "+Kind=bond" in run.stdout
    assert "-MACAddress=" in run.stdout
    assert state(nodes["vm01"]) == before


def test_the_stage_sets_what_is_declared(
    converge: Converge, nodes: dict[str, Host], declared: dict[str, Any]
) -> None:
    run = converge()
    assert run.returncode == 0, run.stdout + run.stderr
    assert "the interfaces of head01 are left to podman" in run.said
    for name, host in nodes.items():
        number = octet(declared, name)
        assert addresses(host, "eth0") == {f"{declared[name]['ansible_host']}/24"}
        assert addresses(host, "bond0") == {
            f"{fabric(declared, name)}/24",
            f"fd12:3456:789a:20::{number}/64",
        }
        assert addresses(host, "bond0.30") == {
            f"10.77.30.{number}/24",
            f"fd12:3456:789a:30::{number}/64",
        }
        assert addresses(host, "eth1") == addresses(host, "eth2") == set()
        vlan = link(host, "bond0.30")
        assert vlan["linkinfo"]["info_data"]["id"] == 30
        assert {each: link(host, each)["mtu"] for each in ("eth0", "eth1", "eth2", "bond0")} == {
            "eth0": 1500,
            "eth1": 9000,
            "eth2": 9000,
            "bond0": 9000,
        }
        assert vlan["mtu"] == 9000
        # What the installer had left is kept for whoever misses something of it.
        kept = f"/var/lib/gpulab/network/former{FILES}/20-fabric.network"
        assert host.file(kept).contains("MACAddress=")
        assert not host.file(f"{FILES}/20-fabric.network").exists


def test_a_second_run_changes_nothing(converge: Converge) -> None:
    run = converge()
    assert run.returncode == 0, run.stdout
    assert run.stdout.count("changed=0") == 3, run.stdout


def test_the_vlan_is_on_the_wire(nodes: dict[str, Host], declared: dict[str, Any]) -> None:
    # What the kernel hands to a VLAN's interface had the tag.
    peer, number = nodes["vm02"], octet(declared, "vm02")
    counter = "cat /sys/class/net/bond0.30/statistics/rx_packets"
    before = int(peer.check_output(counter))
    assert ping(nodes["vm01"], f"10.77.30.{number}")
    assert ping(nodes["vm01"], f"fd12:3456:789a:30::{number}")
    assert int(peer.check_output(counter)) - before >= 2


def test_packets_of_9000_bytes_pass_uncut(nodes: dict[str, Host], declared: dict[str, Any]) -> None:
    # With ping itself, and not with the module that the stage uses.
    number = octet(declared, "vm02")
    for address, headers in (
        (fabric(declared, "vm02"), 28),
        (f"10.77.30.{number}", 28),
        (f"fd12:3456:789a:20::{number}", 48),
        (f"fd12:3456:789a:30::{number}", 48),
    ):
        options = f"-c 2 -w 10 -M do -s {9000 - headers}"
        assert nodes["vm01"].run(f"ping {options} {address}").succeeded, address
        assert nodes["vm01"].run(f"ping -c 1 -w 5 -M do -s {9001 - headers} {address}").failed


def test_a_switch_that_passes_1500_bytes_is_found(
    play: Play, nodes: dict[str, Host], declared: dict[str, Any]
) -> None:
    peer = declared["vm02"]["node_interfaces"]["eth3"]["address"]
    target = {"zone": "narrow", "interface": "eth3", "peer": "vm02", "address": peer}
    for host in nodes.values():
        host.check_output("ip link set dev eth3 mtu 9000")
    try:
        run = play("tests/infra/network_vm/path_mtu.yml", targets=[{**target, "mtu": 9000}])
    finally:
        for host in nodes.values():
            host.check_output("ip link set dev eth3 mtu 1500")
    assert run.returncode != 0
    assert f"narrow: eth3 to vm02 ({peer}) with 9000 bytes" in run.said
    assert "packets of 1280 bytes pass: a switch or a card between them drops larger" in run.said
    run = play("tests/infra/network_vm/path_mtu.yml", targets=[{**target, "mtu": 1500}])
    assert run.returncode == 0, run.stdout


def test_a_bond_survives_its_first_cable(nodes: dict[str, Host], declared: dict[str, Any]) -> None:
    active = "cat /sys/class/net/bond0/bonding/active_slave"
    peer = fabric(declared, "vm02")
    assert {host.check_output(active) for host in nodes.values()} == {"eth1"}
    for host in nodes.values():
        host.check_output("ip link set dev eth1 down")
    try:
        assert {host.check_output(active) for host in nodes.values()} == {"eth2"}
        assert ping(nodes["vm01"], peer)
    finally:
        for host in nodes.values():
            host.check_output("ip link set dev eth1 up")
    time.sleep(2)
    assert {host.check_output(active) for host in nodes.values()} == {"eth1"}
    assert ping(nodes["vm01"], peer)


def octets(host: Host, *links: str) -> int:
    """Sum what has gone in and out of links, bytes."""
    files = [
        f"/sys/class/net/{each}/statistics/{way}_bytes" for each in links for way in ("rx", "tx")
    ]
    return sum(int(number) for number in host.check_output(f"cat {' '.join(files)}").split())


def test_soft_roce_stays_on_the_fabric(nodes: dict[str, Host], declared: dict[str, Any]) -> None:
    iterations, size = 200, 8192
    ports = "/sys/class/infiniband/rxe_bond0/ports/1"
    index = {}
    for name, host in nodes.items():
        tos = "/sys/kernel/config/rdma_cm/rxe_bond0/ports/1/default_roce_tos"
        assert host.check_output(f"cat {tos}") == "106"
        # The entry of the device's table that is the IPv4 address in the fabric.
        gids = host.check_output(f"cd {ports}/gids && cat 0 1 2 3 || true").split("\n")
        ours = "".join(f"{int(part):02x}" for part in fabric(declared, name).split("."))
        index[name] = [gid.replace(":", "")[-12:] for gid in gids].index(f"ffff{ours}")
    pingpong = f"ibv_rc_pingpong -d rxe_bond0 -n {iterations} -s {size} -g"
    before = {
        name: (octets(host, "eth1", "eth2"), octets(host, "eth0")) for name, host in nodes.items()
    }
    server, client = nodes["vm01"], nodes["vm02"]
    server.check_output(f"systemd-run --quiet --unit=pingpong {pingpong} {index['vm01']}")
    time.sleep(5)
    said = client.check_output(f"timeout 120 {pingpong} {index['vm02']} {fabric(declared, 'vm01')}")
    assert f"{iterations} iters in" in said
    for name, host in nodes.items():
        fabric_bytes = octets(host, "eth1", "eth2") - before[name][0]
        management_bytes = octets(host, "eth0") - before[name][1]
        assert fabric_bytes > 2 * iterations * size
        # Our own SSH sessions, and nothing of the above.
        assert management_bytes < iterations * size / 4


def test_a_wrong_address_goes_back_by_itself(
    play: Play, nodes: dict[str, Host], declared: dict[str, Any]
) -> None:
    before = state(nodes["vm02"])
    wrong = copy.deepcopy(interfaces(declared, "vm02"))
    wrong["eth0"]["address"] = declared["vm02"]["ansible_host"].rpartition(".")[0] + ".199"
    # Made again for it, with what is on top of it.
    wrong["bond0"]["bond"] = {"mode": "balance-rr", "members": ["eth1", "eth2"]}
    run = play(
        STAGE,
        "--limit=vm02",
        "--tags=interfaces",
        node_interfaces=wrong,
        network_confirm_timeout_s=60,
    )
    assert run.returncode != 0
    assert "the former state is back" in run.said
    assert "No new connection could be opened for" in run.said
    assert state(nodes["vm02"]) == before
    # Soft RoCE had gone with the bond.
    deadline = time.monotonic() + 120
    while not nodes["vm02"].file("/sys/class/infiniband/rxe_bond0").exists:
        assert time.monotonic() < deadline
        time.sleep(2)


def test_a_reboot_before_the_confirmation_brings_the_former_network_and_firewall(
    play: Play, nodes: dict[str, Host], declared: dict[str, Any]
) -> None:
    host = nodes["vm01"]
    before = state(host)
    assert "table inet gpulab" in before
    other = copy.deepcopy(interfaces(declared, "vm01"))
    other["bond0"]["address"] = fabric(declared, "vm01").rpartition(".")[0] + ".199"
    del other["bond0.30"]
    run = play("tests/infra/network/applied_only.yml", "--limit=vm01", node_interfaces=other)
    assert run.returncode == 0, run.stdout
    deadline = time.monotonic() + 60
    while f"{other['bond0']['address']}/24" not in addresses(host, "bond0"):
        assert time.monotonic() < deadline
        time.sleep(2)
    assert state(host) != before
    cut_power(host)
    assert state(host) == before
