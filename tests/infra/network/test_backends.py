"""Debian's, Ubuntu's and EL's own programs read what the role writes; containers, in check mode."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import network_samples as samples
import pytest
from testinfra.host import Host

from ansible_collections.gpulab.core.plugins.plugin_utils.network.backends import by_name
from ansible_collections.gpulab.core.plugins.plugin_utils.network.model import build

Converge = Callable[..., subprocess.CompletedProcess[str]]
MODEL = build(samples.INTERFACES, samples.ZONES, (), samples.NAMESERVERS, samples.SEARCH)


@pytest.fixture
def written(put: Callable[..., None]) -> Callable[[Host, str], str]:
    """Write a back end's files below a folder of the machine: ``written(host, "netplan")``."""

    def write(host: Host, name: str) -> str:
        host.check_output("rm -rf /root/staged")
        for path, (text, mode) in by_name(name).render(MODEL).items():
            put(host, f"/root/staged{path}", text, mode)
        return "/root/staged"

    return write


@pytest.mark.on("ubuntu2404")
def test_netplan_makes_of_it_what_is_declared(
    host: Host, written: Callable[[Host, str], str]
) -> None:
    root = written(host, "netplan")
    said = host.run(f"netplan generate --root-dir {root}")
    assert said.succeeded, said.stderr
    made = {
        name: host.file(f"{root}/run/systemd/network/10-netplan-{name}").content_string
        for name in ("eno1.network", "bond0.netdev", "bond0.network", "bond0.30.netdev")
    }
    assert "MACAddress=3c:ec:ef:00:00:0a" in made["eno1.network"]
    assert "Address=10.20.0.12/24" in made["eno1.network"]
    assert "Address=fd12:3456:789a:1::12/64" in made["eno1.network"]
    assert "Gateway=10.20.0.1\n" in made["eno1.network"]
    assert "Destination=10.99.0.0/16\nGateway=10.20.0.254" in made["eno1.network"]
    assert "DNS=10.20.0.1" in made["eno1.network"]
    assert "Mode=802.3ad" in made["bond0.netdev"]
    assert "LACPTransmitRate=fast" in made["bond0.netdev"]
    assert "VLAN=bond0.30" in made["bond0.network"]
    assert "Id=30" in made["bond0.30.netdev"]


@pytest.mark.on("rocky9")
def test_networkmanager_loads_every_profile(
    host: Host, written: Callable[[Host, str], str]
) -> None:
    root = written(host, "NetworkManager")
    folder = "/etc/NetworkManager/system-connections"
    host.check_output(f"cp {root}{folder}/gpulab-* {folder}/")
    try:
        for name in ("eno1", "eno2", "ens1f0", "ens1f1", "bond0", "bond0.30", "edge"):
            file = f"{folder}/gpulab-{name}.nmconnection"
            loaded = host.run(f"nmcli connection load {file}")
            assert loaded.succeeded, loaded.stderr
            assert "Could not load" not in loaded.stderr + loaded.stdout

        def show(name: str, fields: str) -> list[str]:
            return host.check_output(
                f"nmcli --escape no --get-values {fields} connection show gpulab-{name}"
            ).splitlines()

        ips = "ipv4.addresses,ipv4.gateway,ipv4.routes,ipv6.addresses,ipv6.gateway"
        assert show("eno1", ips) == [
            "10.20.0.12/24",
            "10.20.0.1",
            "10.99.0.0/16 10.20.0.254",
            "fd12:3456:789a:1::12/64",
            "fd12:3456:789a:1::1",
        ]
        assert show("eno1", "802-3-ethernet.mac-address") == ["3C:EC:EF:00:00:0A"]
        (options,) = show("bond0", "bond.options")
        assert set(options.split(",")) == {
            "lacp_rate=fast",
            "miimon=100",
            "mode=802.3ad",
            "xmit_hash_policy=layer3+4",
        }
        assert show("ens1f1", "connection.master,connection.slave-type") == ["bond0", "bond"]
        assert show("bond0.30", "vlan.id,vlan.parent,802-3-ethernet.mtu") == ["30", "bond0", "9000"]
    finally:
        host.check_output(f"rm {folder}/gpulab-* && nmcli connection reload")


@pytest.mark.on("node01")
def test_ifupdown_reads_it(host: Host, written: Callable[[Host, str], str]) -> None:
    file = f"{written(host, 'ifupdown')}/etc/network/interfaces.d/gpulab"
    listed = host.check_output(f"ifquery --list --allow auto --interfaces {file}").split()
    assert listed == ["lo", "eno1", "ens1f0", "ens1f1", "eno2", "bond0", "bond0.30", "edge"]
    said = host.check_output(f"ifquery --interfaces {file} eno1")
    assert "address: 10.20.0.12\n" in said
    assert "netmask: 255.255.255.0\n" in said
    assert "gateway: 10.20.0.1" in said
    assert "address: fd12:3456:789a:1::12\n" in said
    # What it would do, in its own words.
    plan = host.run(f"ifup --no-act --verbose --force --interfaces {file} bond0.30")
    assert plan.succeeded, plan.stderr
    done = plan.stdout + plan.stderr
    assert "ip link add link bond0 name bond0.30 type vlan id 30" in done
    assert "10.20.3.12" in done
    assert "mtu 9000" in done


BACKENDS = {
    "node01": ("/etc/network/interfaces.d/gpulab", "+iface eth0 inet static"),
    "ubuntu2404": ("/etc/netplan/90-gpulab.yaml", '+    "eth0":'),
    "rocky9": (
        "/etc/NetworkManager/system-connections/gpulab-eth0.nmconnection",
        "+interface-name=eth0",
    ),
}


def test_the_role_writes_for_the_program_that_is_in_use(
    converge: Converge, machine: Callable[[str], Host]
) -> None:
    run = converge("--diff", network_existing="take_over")
    assert run.returncode == 0, run.stdout
    for name, (path, line) in BACKENDS.items():
        assert path in run.stdout
        assert line in run.stdout
        assert not machine(name).file(path).exists
    # What cloud-init would write again at the next boot.
    assert "/etc/cloud/cloud.cfg.d/99-gpulab-network.cfg" in run.stdout
    assert machine("ubuntu2404").file("/etc/netplan/50-cloud-init.yaml").exists


def test_what_an_installer_left_is_refused_where_it_is_about_the_same_interface(
    converge: Converge,
) -> None:
    run = converge()
    said = " ".join(run.stdout.split())
    assert run.returncode != 0
    assert "/etc/netplan/50-cloud-init.yaml is not gpulab's and is about eth0, too" in said
    # EL's is about another interface, and Debian's about the loopback alone.
    assert "failed=1" in _recap(run.stdout, "ubuntu2404")
    assert "failed=0" in _recap(run.stdout, "rocky9")
    assert "failed=0" in _recap(run.stdout, "node01")


def _recap(said: str, name: str) -> str:
    return next(line for line in said.splitlines() if line.startswith(f"{name} "))


def test_the_mtu_is_checked_from_machine_to_machine(
    play: Callable[..., Any], declared: dict[str, Any]
) -> None:
    run = play("playbooks/network.yml", "--tags=path_mtu")
    assert run.returncode == 0, run.stdout
    checked = run.stdout.partition("TASK [Ping the next machine")[2]
    assert checked.count("ok: [") == len(declared)


def test_a_machine_that_does_not_answer_is_named(
    play: Callable[..., Any], declared: dict[str, Any]
) -> None:
    address = declared["node01"]["ansible_host"].rpartition(".")[0] + ".250"
    nobody = {"zone": "management", "interface": "eth0", "peer": "gone", "mtu": 1500}
    at = play("tests/infra/network/path_mtu.yml", targets=[{**nobody, "address": address}])
    assert at.returncode != 0
    assert f"management: eth0 to gone ({address}) with 1500 bytes: smaller packets do" in at.said
