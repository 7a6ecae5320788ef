"""NetworkManager, ifupdown and netplan: a bond, a VLAN on it, going back, and a boot.

Each follows networkd, and the one before it, on one of the nodes of test_network.py, which runs
first. Debian's packages; the files are those that the role writes on EL and Ubuntu, too.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from network_vm.machines import addresses, cut_power, fabric, interfaces, link, octet, ping
from playbook_run import Play, Run
from testinfra.host import Host

STAGE = "playbooks/network.yml"
#: The node that changes; the other one stays with networkd, and answers.
NAME, PEER = "vm02", "vm01"
PACKAGE = {"NetworkManager": "network-manager", "ifupdown": "ifupdown", "netplan": "netplan.io"}
#: What sets the addresses from then on.
UNITS = {
    "NetworkManager": ["NetworkManager.service"],
    "ifupdown": ["networking.service"],
    "netplan": ["systemd-networkd.socket", "systemd-networkd.service"],
}


@dataclass
class Network:
    """What is seen of a node's interfaces."""

    addresses: dict[str, set[str]]
    mtus: dict[str, int]
    vlan: int
    bond: str
    routes: str

    @classmethod
    def of(cls, host: Host) -> Network:
        """Read it."""
        names = ("eth0", "eth1", "eth2", "eth3", "bond0", "bond0.30")
        return cls(
            {name: addresses(host, name) for name in names},
            {name: link(host, name)["mtu"] for name in names},
            link(host, "bond0.30")["linkinfo"]["info_data"]["id"],
            host.check_output(
                "cd /sys/class/net/bond0 && ls --directory lower_*; "
                "cd bonding && cat mode miimon primary"
            ),
            host.check_output("ip route show default | cut --delimiter=' ' --fields=1-5"),
        )


@pytest.fixture(scope="module")
def changed(machine: Callable[[str], Host]) -> Host:
    """The node that changes."""
    return machine(NAME)


@pytest.fixture(scope="module")
def before(changed: Host) -> Network:
    """What networkd has set; every other one must come to the same."""
    return Network.of(changed)


@pytest.fixture
def change(play: Play) -> Callable[..., Run]:
    """Run the stage on it for a back end: ``change("ifupdown", key=value)``."""

    def run(backend: str, **variables: object) -> Run:
        options = (f"--limit={NAME}", "--tags=interfaces")
        return play(STAGE, *options, network_backend=backend, network_rdma_soft=[], **variables)

    return run


def install(host: Host, backend: str) -> None:
    """Put a back end in the place of the one that is in use; the addresses stay."""
    own = " ".join(UNITS[backend])
    others = " ".join(unit for name, units in UNITS.items() if name != backend for unit in units)
    # Nothing of the package shall start before the other one has stopped.
    host.check_output(f"systemctl mask --runtime {own}")
    host.check_output(
        "apt-get update --quiet=2 && DEBIAN_FRONTEND=noninteractive "
        f"apt-get install --quiet=2 --no-install-recommends {PACKAGE[backend]} > /dev/null 2>&1"
    )
    host.run(f"systemctl disable {others}")
    # A stop of networking.service would take its interfaces down.
    host.run(f"systemctl stop {others.replace('networking.service', '')}")
    host.check_output(f"systemctl unmask --runtime {own}")
    host.check_output(f"systemctl enable {own}")
    if backend != "ifupdown":
        host.check_output(f"systemctl start {own}")


@pytest.mark.parametrize("backend", list(PACKAGE), scope="class")
class TestBackend:
    """In this order, on the node that the former one has left."""

    def test_it_sets_what_is_declared(
        self,
        backend: str,
        changed: Host,
        before: Network,
        change: Callable[..., Run],
        declared: dict[str, Any],
        machine: Callable[[str], Host],
    ) -> None:
        install(changed, backend)
        run = change(backend)
        assert run.returncode == 0, run.stdout
        assert Network.of(changed) == before
        peer = machine(PEER)
        assert ping(peer, fabric(declared, NAME))
        assert ping(peer, f"10.77.30.{octet(declared, NAME)}")

    def test_a_wrong_address_goes_back_by_itself(
        self,
        backend: str,
        changed: Host,
        before: Network,
        change: Callable[..., Run],
        declared: dict[str, Any],
    ) -> None:
        wrong = copy.deepcopy(interfaces(declared, NAME))
        wrong["eth0"]["address"] = declared[NAME]["ansible_host"].rpartition(".")[0] + ".199"
        # Made again for it, and taken away.
        wrong["bond0"]["bond"] = {"mode": "balance-rr", "members": ["eth1", "eth2"]}
        del wrong["bond0.30"]
        run = change(backend, node_interfaces=wrong, network_confirm_timeout_s=60)
        assert run.returncode != 0
        assert "No new connection could be opened for" in run.said, run.stdout
        assert "the former state is back" in run.said, run.stdout
        assert Network.of(changed) == before

    def test_it_sets_the_same_at_boot_by_itself(
        self, backend: str, changed: Host, before: Network, change: Callable[..., Run]
    ) -> None:
        cut_power(changed)
        assert changed.check_output(f"systemctl is-active {UNITS[backend][-1]}") == "active"
        assert Network.of(changed) == before
        # Nothing is forced any more: it is what the node uses.
        run = change("")
        assert run.returncode == 0, run.stdout
        assert "changed=0" in run.said.partition("RECAP")[2]
