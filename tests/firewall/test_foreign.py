"""Tables of others as the kernel has them: what drops a packet that ours lets in is found."""

from __future__ import annotations

import json

import pytest
from namespaces import World

from ansible_collections.gpulab.core.plugins.module_utils.firewall import foreign, interfaces

#: Like /etc/sysconfig/iptables of EL's iptables-services: the last rule closes the rest.
EL = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp -m state --state NEW -m tcp --dport 22 -j ACCEPT
-A INPUT -j REJECT --reject-with icmp-host-prohibited
COMMIT
"""
TABLES = {
    "policy": "table inet t { chain c { type filter hook input priority 9; policy drop; }; }",
    "last rule": "table inet t { chain c { type filter hook input priority 9; counter drop; }; }",
    "prerouting": "table ip t { chain c { type filter hook prerouting priority 9; drop; }; }",
    "elsewhere": """
        table inet t {
          chain end { counter log prefix "x" drop; }
          chain rest { iifname "lo" accept; goto end; }
          chain c { type filter hook input priority 9; jump rest; }
        }""",
    "some": "table inet t { chain c { type filter hook input priority 9; tcp dport 80 drop; }; }",
    "none": "table inet t { chain c { type filter hook input priority 9; counter accept; }; }",
}


@pytest.fixture
def pair(world: World) -> World:
    """Two nodes, of which one serves."""
    for name, address in (("node01", "10.1.0.11/24"), ("node02", "10.1.0.12/24")):
        world.add(name)
        world.plug(name, "eth0", "net", address)
    world.serve("node01", 22, 80)
    return world


def found(world: World) -> list[tuple[str, bool]]:
    told = world.run("node01", "nft", "--json", "list", "ruleset")
    return [(one["hook"], one["closed"]) for one in foreign.of_nft(told)]


def opens(world: World, port: int) -> bool:
    return world.reaches("node02", "10.1.0.12", "10.1.0.11", port)


@pytest.mark.parametrize("name", TABLES)
def test_what_is_found_is_what_packets_meet(pair: World, name: str) -> None:
    pair.nft("node01", TABLES[name])
    closed = any(closed for _, closed in found(pair))
    assert closed is not opens(pair, 22)
    assert bool(found(pair)) is not opens(pair, 80)


def test_what_iptables_has_closed_is_found(pair: World) -> None:
    pair.run("node01", "sh", "-c", f"iptables-nft-restore << 'END'\n{EL}END\n")
    assert found(pair) == [("input", True)]
    assert (opens(pair, 22), opens(pair, 80)) == (True, False)
    saved = pair.run("node01", "iptables-nft-save")
    told = foreign.of_iptables(saved, "ip", "iptables")
    assert [(one["hook"], one["closed"]) for one in told] == [("input", True)]


def test_interfaces_are_read_as_ip_tells_them(pair: World) -> None:
    for words in (
        ("cni0", "type", "bridge"),
        ("flannel.1", "type", "vxlan", "id", "1", "dev", "eth0", "dstport", "8472"),
        ("wire0", "type", "veth", "peer", "name", "wire1"),
    ):
        pair.run("node01", "ip", "link", "add", *words)
        pair.run("node01", "ip", "link", "set", words[0], "up")
    pair.run("node01", "ip", "link", "set", "wire1", "master", "cni0")
    pair.run("node01", "ip", "address", "add", "10.244.0.1/24", "dev", "cni0")
    told = pair.run("node01", "ip", "-json", "-details", "address", "show")
    by_name = {one["name"]: one for one in interfaces.parse(json.loads(told))}
    assert by_name.keys() == {"eth0", "cni0", "flannel.1", "wire0", "wire1"}
    assert by_name["cni0"] == {
        "name": "cni0",
        "up": True,
        "kind": "bridge",
        "master": "",
        "parent": "",
        "addresses": ["10.244.0.1"],
    }
    assert by_name["flannel.1"]["kind"] == "vxlan"
    assert (by_name["wire1"]["master"], by_name["wire1"]["up"]) == ("cni0", False)
    assert (by_name["wire0"]["kind"], by_name["wire0"]["addresses"]) == ("veth", [])
