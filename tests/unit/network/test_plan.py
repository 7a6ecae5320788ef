"""From declaration and node to a guarded change: back end, other files, cards, commands."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.network.read import _SECRET, files
from ansible_collections.gpulab.core.plugins.plugin_utils.network import commands, foreign
from ansible_collections.gpulab.core.plugins.plugin_utils.network.backends import choose, in_use
from ansible_collections.gpulab.core.plugins.plugin_utils.network.model import NetworkError
from ansible_collections.gpulab.core.plugins.plugin_utils.network.plan import (
    CLOUD_INIT,
    KEPT,
    Options,
    compare,
    plan,
)

ZONES: dict[str, Any] = {
    "management": {"cidr": "10.20.0.0/24", "gateway": "10.20.0.1"},
    "storage": {"cidr": "10.20.3.0/24", "vlan": 30},
}
INTERFACES: dict[str, Any] = {
    "eno1": {"zone": "management", "address": "10.20.0.12", "mac": "3c:ec:ef:00:00:0a"},
    "store": {"zone": "storage", "address": "10.20.3.12", "parent": "eno2"},
}
CLOUD = """\
# This file is generated from information provided by the datasource.
network:
    version: 2
    ethernets:
        eno1:
            addresses: [10.20.0.77/24]
            nameservers:
                addresses:
                - 10.20.0.53
                search: []
            match:
                macaddress: 3c:ec:ef:00:00:0a
            set-name: eno1
"""
CLOUD_PATH = "/etc/netplan/50-cloud-init.yaml"


def card(name: str, mac: str, *addresses: tuple[str, int], **more: Any) -> dict[str, Any]:
    info = [{"local": local, "prefixlen": length, "scope": "global"} for local, length in addresses]
    entry = {"ifname": name, "link_type": "ether", "address": mac, "mtu": 1500, "addr_info": info}
    return {**entry, **more}


def machine(**more: Any) -> dict[str, Any]:
    """A node of systemd-networkd, as the module network_info tells it."""
    return {
        "links": [
            card("lo", "00:00:00:00:00:00", link_type="loopback"),
            card("eno1", "3c:ec:ef:00:00:0a", ("10.20.0.12", 24)),
            card("eno2", "3c:ec:ef:00:00:0b"),
        ],
        "routes4": [{"dst": "default", "gateway": "10.20.0.1", "dev": "eno1"}],
        "routes6": [],
        "cards": {"eno1": "ice", "eno2": "ice"},
        "permanent": {"eno1": "3c:ec:ef:00:00:0a", "eno2": "3c:ec:ef:00:00:0b"},
        "units": ["systemd-networkd.service"],
        "programs": ["networkctl", "netplan", "ifup", "nmcli"],
        "files": {},
        "secret": [],
        **more,
    }


def decide(info: dict[str, Any], **options: Any) -> dict[str, Any]:
    return plan(info, INTERFACES, ZONES, Options(**options))


STORE = card(
    "store",
    "3c:ec:ef:00:00:0b",
    ("10.20.3.12", 24),
    link="eno2",
    linkinfo={"info_kind": "vlan", "info_data": {"id": 30}},
)


def test_a_machine_as_declared_differs_in_nothing() -> None:
    info = machine()
    info["links"].append(STORE)
    assert decide(info)["differences"] == []
    assert compare(info, INTERFACES, ZONES) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mtu": 1400}, "store has MTU 1400, not 1500"),
        ({"addr_info": []}, "store has not the address 10.20.3.12/24"),
        (
            {"linkinfo": {"info_kind": "vlan", "info_data": {"id": 31}}},
            "store is a vlan made otherwise",
        ),
        ({"link": "eno1"}, "store is a vlan made otherwise"),
    ],
)
def test_a_difference_is_named(change: dict[str, Any], said: str) -> None:
    info = machine()
    info["links"].append({**STORE, **change})
    assert decide(info)["differences"] == [said]


def test_a_missing_route_is_a_difference() -> None:
    info = machine(routes4=[{"dst": "10.20.0.0/24", "dev": "eno1"}])
    info["links"].append(STORE)
    assert decide(info)["differences"] == ["there is no route to 0.0.0.0/0 via 10.20.0.1 on eno1"]


# The cards.


def test_an_interface_that_is_not_there() -> None:
    info = machine()
    del info["links"][2], info["cards"]["eno2"]
    (said,) = decide(info)["problems"]
    assert said.startswith("node_interfaces.eno2: this machine has no interface eno2; its cards")
    assert "eno1 (3c:ec:ef:00:00:0a)" in said


def test_the_mac_of_another_card() -> None:
    info = machine(permanent={"eno1": "3c:ec:ef:00:00:0b", "eno2": "3c:ec:ef:00:00:0a"})
    (said,) = decide(info)["problems"]
    assert "node_interfaces.eno1.mac: 3c:ec:ef:00:00:0a is eno2 on this machine" in said


def test_a_wrong_mac_hides_no_file_of_others() -> None:
    text = "[Match]\nMACAddress=3c:ec:ef:00:00:0a\n"
    interfaces = {"eno1": {**INTERFACES["eno1"], "mac": "3c:ec:ef:00:00:0b"}}
    info = machine(files={"/etc/systemd/network/20-a.network": text})
    mac, file = plan(info, interfaces, ZONES, Options())["problems"]
    assert "3c:ec:ef:00:00:0b is eno2 on this machine" in mac
    assert "20-a.network is not gpulab's and is about eno1" in file


def test_a_mac_that_no_card_has() -> None:
    info = machine(permanent={"eno1": "3c:ec:ef:00:00:0c", "eno2": "3c:ec:ef:00:00:0b"})
    (said,) = decide(info)["problems"]
    assert "eno1 of this machine has 3c:ec:ef:00:00:0c, not 3c:ec:ef:00:00:0a" in said


def test_a_member_shows_the_bonds_mac_and_is_known_by_its_own() -> None:
    info = machine()
    info["links"][1]["address"] = "3c:ec:ef:00:00:0b"
    assert decide(info)["problems"] == []


@pytest.mark.parametrize(
    ("name", "other", "more", "refused"),
    [
        ("eth0", "eth1", {}, True),
        # udev has named the other; the kernel called it eth1 or eth0 first.
        ("eth0", "enp5s0", {}, True),
        ("eth0", "lan0", {}, True),
        ("eno1", "eth0", {}, False),
        ("lan0", "lan1", {}, False),
        # Two cards, and of each kind one.
        ("eth0", "wlan0", {}, False),
        ("eth0", "wlp3s0", {}, False),
        ("eth0", "ib0", {"link_type": "infiniband"}, False),
    ],
)
def test_a_name_that_the_kernel_gives_by_order_is_held_by_no_mac(
    name: str, other: str, more: dict[str, Any], refused: bool
) -> None:
    mac = "3c:ec:ef:00:00:0a"
    info = machine(
        links=[card(name, mac, ("10.20.0.12", 24)), card(other, "3c:ec:ef:00:00:0b", **more)],
        cards={name: "ice", other: "ice"},
        permanent={name: mac, other: "3c:ec:ef:00:00:0b"},
    )
    body = {"zone": "management", "address": "10.20.0.12", "mac": mac}
    found = plan(info, {name: body}, ZONES, Options())["problems"]
    assert [f"a boot may give it to {other}" in said for said in found] == [True] * refused
    # Without a MAC nobody promises that the name stays.
    del body["mac"]
    assert plan(info, {name: body}, ZONES, Options())["problems"] == []


# What somebody else sets.


FOREIGN: dict[str, Any] = {
    "br0": {"zone": "management", "address": "10.20.0.12", "managed": False},
    "store": {"zone": "storage", "address": "10.20.3.12", "parent": "eno2"},
}


def test_what_somebody_else_sets_is_left_to_them() -> None:
    info = machine(files={"/etc/systemd/network/20-br0.network": "[Match]\nName=br0 eno1\n"})
    info["links"][1]["master"] = "br0"
    info["links"] += [
        card("br0", "3c:ec:ef:00:00:0a", ("10.20.0.12", 24), linkinfo={"info_kind": "bridge"})
    ]
    found = plan(info, FOREIGN, ZONES, Options())
    assert found["problems"] == []
    text = json.dumps([found[key] for key in ("files", "apply", "undo")])
    assert ("br0" in text, "eno1" in text) == (False, False)
    assert "store" in text
    # Its default route, too: no other interface gets one.
    assert "Gateway" not in text
    assert compare(info, {"br0": FOREIGN["br0"]}, ZONES) == []


@pytest.mark.parametrize("kind", ["tun", "wireguard", "team", "macvlan", "bridge"])
def test_a_tunnel_or_a_bridge_is_no_card_that_is_missing(kind: str) -> None:
    info = machine()
    info["links"].append(card("x0", "", ("10.20.0.12", 24), linkinfo={"info_kind": kind}))
    interfaces = {"x0": {"zone": "management", "address": "10.20.0.12", "managed": False}}
    found = plan(info, interfaces, ZONES, Options())
    assert (found["problems"], found["differences"], found["files"]) == ([], [], {})


def test_a_bond_that_somebody_else_sets_from_now_on_is_not_removed() -> None:
    """Files of gpulab named it before, and what they named goes where nobody declares it."""
    info = machine(files={"/etc/systemd/network/10-gpulab-bond0.netdev": "[NetDev]\nName=bond0\n"})
    info["links"].append(card("bond0", "", ("10.20.3.12", 24), linkinfo={"info_kind": "bond"}))
    interfaces = {"eno1": INTERFACES["eno1"]}
    assert "link delete dev bond0" in str(plan(info, interfaces, ZONES, Options())["apply"])
    foreign = {"zone": "storage", "address": "10.20.3.12", "managed": False}
    found = plan(info, {**interfaces, "bond0": foreign}, ZONES, Options())
    assert "bond0" not in str(found["apply"])


def test_no_vlan_is_put_on_what_somebody_else_sets() -> None:
    interfaces = {
        "br0": FOREIGN["br0"],
        "br0.30": {"zone": "storage", "address": "10.20.3.12", "parent": "br0"},
    }
    (said,) = plan(machine(), interfaces, ZONES, Options())["problems"]
    assert "somebody else sets br0 (managed: false)" in said


def test_a_node_that_others_set_wholly_is_told_nothing() -> None:
    ours = {"/etc/systemd/network/10-gpulab-eno1.network": "[Match]\nName=eno1\n"}
    interfaces = {"eno1": {**INTERFACES["eno1"], "managed": False}}
    del interfaces["eno1"]["mac"]
    found = plan(machine(files=ours), interfaces, ZONES, Options())
    assert found["apply"] == [["networkctl", "reload"]]


def test_a_vlan_named_like_a_card() -> None:
    interfaces = {"eno1": {"zone": "storage", "address": "10.20.3.12", "parent": "eno2"}}
    (said,) = plan(machine(), interfaces, ZONES, Options())["problems"]
    assert "eno1 is a card of this machine: call the vlan otherwise" in said


def test_a_wrong_declaration_is_one_problem_and_changes_nothing() -> None:
    wrong = plan(machine(), {"eno1": {**INTERFACES["eno1"], "zone": "x"}}, ZONES, Options())
    assert wrong["problems"] == ["node_interfaces.eno1.zone: lab_zones has no 'x'"]
    assert (wrong["files"], wrong["apply"], wrong["undo"]) == ({}, [], [])


# The back end.


@pytest.mark.parametrize(
    ("units", "paths", "used"),
    [
        (["systemd-networkd.service"], [CLOUD_PATH], ["netplan", "systemd-networkd"]),
        (["systemd-networkd.service"], [], ["systemd-networkd"]),
        (["NetworkManager.service"], [], ["NetworkManager"]),
        (["NetworkManager.service", "networking.service"], [], ["NetworkManager", "ifupdown"]),
        (["networking.service"], ["/etc/network/interfaces"], ["ifupdown"]),
        ([], [], []),
    ],
)
def test_the_back_end_is_the_one_in_use(
    units: list[str], paths: list[str], used: list[str]
) -> None:
    programs = ["netplan", "nmcli", "networkctl", "ifup"]
    assert in_use(units, programs, paths) == used
    if used:
        assert choose("", used, programs).name == used[0]
    else:
        with pytest.raises(NetworkError, match="nothing sets this machine's addresses"):
            choose("", used, programs)


def test_a_back_end_can_be_forced_where_it_is_installed() -> None:
    assert choose("ifupdown", ["systemd-networkd"], ["ifup"]).name == "ifupdown"
    with pytest.raises(NetworkError, match="nmcli is not installed: install it, or leave"):
        choose("NetworkManager", ["systemd-networkd"], ["ifup"])


# Files of others.


def with_cloud_init() -> dict[str, Any]:
    return machine(files={CLOUD_PATH: CLOUD})


def test_a_file_of_others_is_refused_and_named() -> None:
    found = decide(with_cloud_init())
    assert found["backend"] == "netplan"
    (said,) = found["problems"]
    assert said.startswith(f"{CLOUD_PATH} is not gpulab's and is about eno1, too")
    assert "network_existing to take_over" in said
    assert found["files"] == {}


def test_taking_over_would_lose_name_servers() -> None:
    (said,) = decide(with_cloud_init(), existing="take_over")["problems"]
    assert "DNS servers 10.20.0.53 would be lost: set network_nameservers: [10.20.0.53]" in said


def test_taking_over_moves_the_file_and_tells_cloud_init() -> None:
    found = decide(with_cloud_init(), existing="take_over", nameservers=("10.20.0.53",))
    assert found["problems"] == []
    assert found["taken_over"] == [CLOUD_PATH]
    assert found["files"][CLOUD_PATH] is None
    assert found["files"][f"{KEPT}{CLOUD_PATH}"] == {"content": CLOUD, "mode": "0600"}
    assert "config: disabled" in found["files"][CLOUD_INIT]["content"]
    assert "10.20.0.53" in found["files"]["/etc/netplan/90-gpulab.yaml"]["content"]


def test_a_file_about_other_cards_too_is_not_taken_over() -> None:
    info = machine(files={CLOUD_PATH: CLOUD + "        eno3: {dhcp4: true}\n"})
    info["links"].append(card("eno3", "3c:ec:ef:00:00:0d"))
    info["cards"]["eno3"] = "ice"
    (said,) = decide(info, existing="take_over", nameservers=("10.20.0.53",))["problems"]
    assert f"{CLOUD_PATH} cannot be taken over: it is about eno3, too" in said


def test_a_file_with_a_password_is_not_taken_over() -> None:
    info = machine(files={CLOUD_PATH: CLOUD}, secret=[CLOUD_PATH])
    (said,) = decide(info, existing="take_over", nameservers=("10.20.0.53",))["problems"]
    assert "it holds a password" in said


@pytest.mark.parametrize(
    ("path", "text", "about"),
    [
        ("/etc/systemd/network/20-a.network", "[Match]\nName=eno1\n", ("eno1",)),
        ("/etc/systemd/network/20-a.network", "[Match]\nMACAddress=3C:EC:EF:00:00:0A\n", ("eno1",)),
        # networkd takes the first file that fits: ours is before this one.
        ("/etc/systemd/network/80-all.network", "[Match]\nName=en*\n", ()),
        ("/etc/systemd/network/05-all.network", "[Match]\nName=en*\n", ("eno1", "eno2")),
        ("/etc/systemd/network/20-a.network", "[Match]\n# Name=eno1\nName=eno7\n", ()),
        ("/etc/systemd/network/10-gpulab-eno1.network", "[Match]\nName=eno1\n", ()),
        # Nothing reads it: only networkd is in use.
        ("/etc/network/interfaces", "iface eno1 inet dhcp\n", ()),
    ],
)
def test_which_files_are_about_our_interfaces(path: str, text: str, about: tuple[str, ...]) -> None:
    found = decide(machine(files={path: text}))["problems"]
    if about:
        assert f"{path} is not gpulab's and is about {', '.join(about)}, too" in found[0]
    else:
        assert found == []


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("[Network]\nDNS=10.0.0.1\nDNS=fd00::1\n", ["10.0.0.1", "fd00::1"]),
        ("[ipv4]\ndns=10.0.0.1;10.0.0.2;\n", ["10.0.0.1", "10.0.0.2"]),
        ("DNS1=10.0.0.1\nDNS2=10.0.0.2\nIPADDR=10.0.0.9\n", ["10.0.0.1", "10.0.0.2"]),
        ("iface a inet static\n  address 10.0.0.9/24\n  dns-nameservers 10.0.0.1\n", ["10.0.0.1"]),
        ("a:\n  nameservers: {addresses: [10.0.0.1]}\n  addresses: [10.0.0.9/24]\n", ["10.0.0.1"]),
        (CLOUD, ["10.20.0.53"]),
        ("# DNS=10.0.0.1\n", []),
    ],
)
def test_name_servers_in_any_words(text: str, servers: list[str]) -> None:
    assert list(foreign.nameservers(text)) == servers


def test_what_of_ours_is_no_longer_wanted_goes() -> None:
    old = "/etc/systemd/network/10-gpulab-bond7.netdev"
    gone = card("bond7", "3c:ec:ef:00:00:0e", linkinfo={"info_kind": "bond"})
    theirs = card("bond8", "3c:ec:ef:00:00:0f", linkinfo={"info_kind": "bond"})
    info = machine(files={old: "[NetDev]\nName=bond7\nKind=bond\n"})
    info["links"] += [gone, theirs]
    found = decide(info)
    assert found["files"][old] is None
    deleted = [command for command in found["apply"] if "delete" in command[-1]]
    assert [command[-1].rpartition(" ")[2] for command in deleted] == ["bond7"]


# ifupdown's main file.


def ifupdown(main: str) -> dict[str, Any]:
    return machine(units=["networking.service"], files={"/etc/network/interfaces": main})


def test_a_main_file_that_reads_ours_is_left_alone() -> None:
    found = decide(ifupdown("source /etc/network/interfaces.d/*\nauto lo\n"))
    assert (found["backend"], found["problems"]) == ("ifupdown", [])
    assert "/etc/network/interfaces" not in found["files"]


def test_a_main_file_that_does_not_read_ours() -> None:
    (said,) = decide(ifupdown("auto lo\niface lo inet loopback\n"))["problems"]
    assert "add the line `source /etc/network/interfaces.d/*`" in said


def test_a_main_file_that_is_taken_over_keeps_the_loopback() -> None:
    main = "auto lo eno1\niface lo inet loopback\niface eno1 inet dhcp\n"
    found = decide(ifupdown(main), existing="take_over")
    text = found["files"]["/etc/network/interfaces"]["content"]
    assert "source /etc/network/interfaces.d/*" in text
    assert "iface lo inet loopback" in text
    assert found["files"][f"{KEPT}/etc/network/interfaces"]["content"] == main


# Commands.


@pytest.mark.parametrize(
    ("backend", "first"),
    [
        ("systemd-networkd", ["networkctl", "reload"]),
        ("netplan", ["netplan", "apply"]),
        ("NetworkManager", ["nmcli", "connection", "reload"]),
        ("ifupdown", ["ip", "address", "flush", "dev", "eno1", "scope", "global"]),
    ],
)
def test_what_is_undone_is_all_that_was_done(backend: str, first: list[str]) -> None:
    info = machine(files={"/etc/network/interfaces": "source /etc/network/interfaces.d/*"})
    found = decide(info, backend=backend)
    assert found["problems"] == []
    assert found["apply"][0] == first
    undo = found["undo"]
    assert not any("gpulab-rdma" in command[-1] for command in [*found["apply"], *undo])
    # The VLAN did not exist; the addresses and the way out come back whoever had set them.
    assert [command[-1] for command in undo if "delete" in command[-1]] == [
        "test ! -e /sys/class/net/store || ip link delete dev store"
    ]
    assert ["ip", "link", "set", "dev", "eno1", "mtu", "1500"] in undo
    address = "10.20.0.12/24"
    assert undo[-2] == [
        "sh",
        "-c",
        (
            f"ip -oneline address show dev eno1 | grep -qF ' {address} ' || "
            f"ip address add {address} dev eno1"
        ),
    ]
    way = "0.0.0.0/0 via 10.20.0.1 dev eno1"
    assert undo[-1][:2] == ["sh", "-c"]
    assert undo[-1][2] == (f'test -n "$(ip -4 route show exact {way})" || ip -4 route add {way}')
    assert found["boot"] == ([["netplan", "generate"]] if backend == "netplan" else [])


def gone(commands: list[list[str]]) -> list[str]:
    return [command[-1].rpartition(" ")[2] for command in commands if "link delete" in command[-1]]


@pytest.mark.parametrize(
    ("backend", "back"),
    [
        ("systemd-networkd", ["systemctl", "restart", "systemd-networkd.service"]),
        ("netplan", ["systemctl", "restart", "systemd-networkd.service"]),
        ("NetworkManager", "nmcli --wait 10 connection up gpulab-store || true"),
        ("ifupdown", ["ifup", "--force", "eno1", "store"]),
    ],
)
@pytest.mark.parametrize("becomes", ["another", "nothing"])
def test_what_was_made_otherwise_is_made_so_again(
    becomes: str, backend: str, back: list[str] | str
) -> None:
    ours = "/etc/network/interfaces.d/gpulab"
    files = {"/etc/network/interfaces": f"source {ours}", ours: "auto eno1 store\n"}
    tag = {"linkinfo": {"info_kind": "vlan", "info_data": {"id": 31}}}
    info = machine(files=files)
    info["links"].append({**STORE, **tag})
    interfaces = {**INTERFACES, "eno2": {"zone": "storage", "address": "10.20.3.12"}}
    if becomes == "another":
        interfaces = INTERFACES
    else:
        del interfaces["store"]

    found = plan(info, interfaces, ZONES, Options(backend=backend))

    assert gone(found["apply"][:1]) == ["store"]
    # Soft RoCE may have been on it.
    for way in ("apply", "undo"):
        assert any("gpulab-rdma.service" in command[-1] for command in found[way])
    undo = found["undo"]
    assert gone(undo) == ["store"]
    deleted, made = (
        [number for number, command in enumerate(undo) if is_it(command)]
        for is_it in (
            lambda command: "link delete" in command[-1],
            lambda command: back in (command, command[-1]),
        )
    )
    assert deleted < made


def test_what_is_on_top_of_something_goes_with_it() -> None:
    interfaces = {
        "bond0": {"zone": "storage", "bond": {"mode": "802.3ad", "members": ["eno1", "eno2"]}},
        "store": {"zone": "storage", "address": "10.20.3.12", "parent": "bond0"},
    }
    info = machine()
    bond = {"info_kind": "bond", "info_data": {"mode": "active-backup"}}
    info["links"] += [card("bond0", "3c:ec:ef:00:00:0a", linkinfo=bond), {**STORE, "link": "bond0"}]

    found = plan(info, interfaces, ZONES, Options())

    assert gone(found["apply"]) == ["store", "bond0"]
    reconfigured = [command for command in found["apply"] if "reconfigure" in command]
    assert not {"store", "bond0"} & set(reconfigured[0])


def test_a_lease_is_not_kept_as_an_address() -> None:
    info = machine()
    info["links"][1]["addr_info"][0]["dynamic"] = True
    found = decide(info)
    assert "eno1 has not the address 10.20.0.12/24" in found["differences"]
    assert not any("ip address add" in " ".join(command) for command in found["undo"])


# Reading.


def test_the_files_of_all_back_ends_are_read(tmp_path: Path) -> None:
    for path in ("etc/netplan/50-cloud-init.yaml", "etc/network/interfaces", "etc/netplan/x.bak"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x\n")
    assert files(str(tmp_path)) == {
        "/etc/netplan/50-cloud-init.yaml": "x\n",
        "/etc/network/interfaces": "x\n",
    }


@pytest.mark.parametrize(
    "text",
    [
        "[wifi-security]\npsk=abc def\n",
        '  password: "abc def"\n',
        "[WireGuard]\nPrivateKey=abc def\n",
        "[802-1x]\nprivate-key-password=abc def\n",
        "wpa-psk: abc def\n",
    ],
)
def test_no_password_leaves_the_machine(text: str) -> None:
    assert "abc" not in _SECRET.sub(r"\1(secret)", text)


def test_nothing_else_is_left_out() -> None:
    assert _SECRET.sub(r"\1(secret)", CLOUD) == CLOUD


IP = """#!/bin/sh
# Stands for ip(8): what networkd sets is there after some questions.
case "$*" in
  *show*)
    echo >> {folder}/asked
    [ "$(wc -l < {folder}/asked)" -lt {after} ] || echo "2: eno1 inet 10.20.0.12/24 brd x" ;;
  *' add '*) echo "$*" >> {folder}/added ;;
esac
"""


@pytest.mark.parametrize(
    ("after", "added"),
    [
        (4, []),
        (
            10_000,
            [
                "address add 10.20.0.12/24 dev eno1",
                "-4 route add 0.0.0.0/0 via 10.20.0.1 dev eno1",
            ],
        ),
    ],
)
def test_what_the_back_end_sets_a_moment_later_is_not_set_by_hand(
    after: int, added: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "_BACKEND_S", 1.0)
    undo = decide(machine(), backend="netplan")["undo"]
    tool = tmp_path / "ip"
    tool.write_text(IP.format(folder=tmp_path, after=after))
    tool.chmod(0o755)
    begin = undo.index(["ip", "link", "set", "dev", "eno1", "up"])
    for command in undo[begin:]:
        path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
        subprocess.run(command, env=path, check=True, capture_output=True)
    file = tmp_path / "added"
    assert (file.read_text().splitlines() if file.exists() else []) == added
