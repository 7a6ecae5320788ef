"""What each back end gets to read. `expected/` has the files whole, one text per back end."""

from __future__ import annotations

import configparser
import ipaddress
import re
from pathlib import Path
from typing import Any

import network_samples as lab
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpulab.core.plugins.plugin_utils.network.backends import (
    BACKENDS,
    by_name,
    is_ours,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.network.model import (
    Model,
    NetworkError,
    build,
)

EXPECTED = Path(__file__).parent / "expected"
NAMES = [backend.name for backend in BACKENDS]
ETHERNET = build(lab.INTERFACES, lab.ZONES, (), lab.NAMESERVERS, lab.SEARCH)
INFINIBAND = build(lab.IB_INTERFACES, lab.IB_ZONES, ("ib0", "ib1"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("kind", "model"), [("ethernet", ETHERNET), ("infiniband", INFINIBAND)])
def test_the_files_are_these(name: str, kind: str, model: Model) -> None:
    files = by_name(name).render(model)
    text = "".join(f"=== {path} {mode}\n{body}" for path, (body, mode) in sorted(files.items()))
    assert text == (EXPECTED / f"{kind}-{name}.txt").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_every_file_is_known_as_ours(name: str) -> None:
    files = [*by_name(name).render(ETHERNET), *by_name(name).render(INFINIBAND)]
    assert [path for path in files if not is_ours(path)] == []


def test_a_partition_is_named_as_networkmanager_would() -> None:
    interfaces = {"fast": lab.IB_INTERFACES["ib0.8001"]}
    model = build(interfaces, lab.IB_ZONES, ("ib0",))
    with pytest.raises(NetworkError, match=r"node_interfaces.fast: .*: call it ib0.8001"):
        by_name("NetworkManager").render(model)


def test_a_name_that_means_another_vlan_to_ifupdown() -> None:
    interfaces = {"bond0.31": lab.INTERFACES["bond0.30"], "bond0": lab.INTERFACES["bond0"]}
    with pytest.raises(NetworkError, match=r"reads the name as 31 on bond0: call it bond0.30"):
        by_name("ifupdown").render(build(interfaces, lab.ZONES))


def test_the_primary_of_a_bond() -> None:
    bond = {"mode": "active-backup", "members": ["eth1", "eth2"], "primary": "eth2"}
    interfaces = {"bond0": {"zone": "fabric", "address": "10.20.2.12", "bond": bond}}
    model = build(interfaces, lab.ZONES)
    networkd = by_name("systemd-networkd").render(model)
    assert "PrimarySlave=true" in networkd["/etc/systemd/network/10-gpulab-eth2.network"][0]
    assert "PrimarySlave" not in networkd["/etc/systemd/network/10-gpulab-eth1.network"][0]
    (netplan,) = (body for body, _mode in by_name("netplan").render(model).values())
    parameters = yaml.safe_load(netplan)["network"]["bonds"]["bond0"]["parameters"]
    assert parameters["primary"] == "eth2"
    manager = by_name("NetworkManager").render(model)
    folder = "/etc/NetworkManager/system-connections"
    assert "\nprimary=eth2\n" in manager[f"{folder}/gpulab-bond0.nmconnection"][0]
    ifupdown = by_name("ifupdown").render(model)["/etc/network/interfaces.d/gpulab"][0]
    assert "pre-up ip link set bond0 type bond primary eth2" in ifupdown


# What a back end would set, read with a parser of its format and none of ours.


def _netplan(files: dict[str, tuple[str, str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for body, _mode in files.values():
        network = yaml.safe_load(body)["network"]
        for section in ("ethernets", "bonds", "vlans"):
            for name, link in network.get(section, {}).items():
                found[name] = set(link.get("addresses", []))
    return found


def _networkd(files: dict[str, tuple[str, str]]) -> dict[str, set[str]]:
    found = {}
    for path, (body, _mode) in files.items():
        if path.endswith(".network"):
            name = path.rpartition("/10-gpulab-")[2].removesuffix(".network")
            found[name] = set(re.findall(r"^Address=(.*)$", body, re.MULTILINE))
    return found


def _manager(files: dict[str, tuple[str, str]]) -> dict[str, set[str]]:
    found = {}
    for path, (body, _mode) in files.items():
        if path.endswith(".nmconnection"):
            parser = configparser.ConfigParser(interpolation=None)
            parser.read_string(body)
            found[parser["connection"]["id"].removeprefix("gpulab-")] = {
                value
                for section in parser.values()
                for key, value in section.items()
                if key.startswith("address")
            }
    return found


def _ifupdown(files: dict[str, tuple[str, str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    name = ""
    for line in files["/etc/network/interfaces.d/gpulab"][0].splitlines():
        words = line.split()
        if words and words[0] == "iface":
            name = words[1]
            found.setdefault(name, set())
        elif words and words[0] == "address":
            found[name].add(words[1])
    return found


READERS = {
    "netplan": _netplan,
    "NetworkManager": _manager,
    "systemd-networkd": _networkd,
    "ifupdown": _ifupdown,
}


@st.composite
def machines(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give zones and a node's interfaces: cards, VLANs on them, a bond."""
    count = draw(st.integers(1, 5))
    zones: dict[str, Any] = {}
    interfaces: dict[str, Any] = {}
    for number in range(count):
        zone: dict[str, Any] = {"cidr": f"10.20.{number}.0/24", "cidr6": f"fd12:0:0:{number}::/64"}
        if draw(st.booleans()):
            zone["gateway"] = f"10.20.{number}.1"
        if draw(st.booleans()):
            zone["mtu"] = 9000
        host = draw(st.integers(2, 254))
        interface: dict[str, Any] = {"zone": f"z{number}", "address": f"10.20.{number}.{host}"}
        if draw(st.booleans()):
            interface["address6"] = f"fd12:0:0:{number}::{host:x}"
        shape = draw(st.sampled_from(["card", "vlan", "bond"]))
        if shape == "vlan":
            zone["vlan"] = number + 10
            interface["parent"] = "trunk"
        elif shape == "bond":
            interface["bond"] = {"mode": "balance-rr", "members": [f"m{number}a", f"m{number}b"]}
        zones[f"z{number}"] = zone
        interfaces[f"if{number}"] = interface
    return interfaces, zones


@pytest.mark.parametrize("name", NAMES)
@given(machine=machines())
def test_addresses_in_are_addresses_out(name: str, machine: tuple[Any, Any]) -> None:
    interfaces, zones = machine
    found = READERS[name](by_name(name).render(build(interfaces, zones)))
    wanted = {
        link: {
            str(ipaddress.ip_interface(f"{of[key]}/{length}"))
            for key, length in (("address", 24), ("address6", 64))
            if of.get(key)
        }
        for link, of in interfaces.items()
    }
    assert {link: said for link, said in found.items() if said} == wanted


@pytest.mark.parametrize("name", NAMES)
@given(machine=machines())
def test_the_same_declaration_gives_the_same_bytes(name: str, machine: tuple[Any, Any]) -> None:
    interfaces, zones = machine
    first = by_name(name).render(build(interfaces, zones))
    assert by_name(name).render(build(dict(interfaces), dict(zones))) == first
