"""What a node's network is made of what is declared, and what is refused."""

from __future__ import annotations

import copy
from typing import Any

import network_samples as lab
import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.network.model import (
    Link,
    NetworkError,
    Route,
    build,
)


def links(interfaces: dict[str, Any], zones: dict[str, Any] = lab.ZONES) -> dict[str, Link]:
    return {link.name: link for link in build(interfaces, zones).links}


def test_what_is_below_comes_first() -> None:
    names = [link.name for link in build(lab.INTERFACES, lab.ZONES).links]
    assert names == ["eno1", "ens1f0", "ens1f1", "eno2", "bond0", "bond0.30", "edge"]


def test_the_mtu_is_the_interfaces_then_the_zones_then_ethernets() -> None:
    found = links(lab.INTERFACES)
    assert {name: link.mtu for name, link in found.items()} == {
        "eno1": 1500,
        "ens1f0": 9000,
        "ens1f1": 9000,
        "eno2": 1500,
        "bond0": 9000,
        "bond0.30": 9000,
        "edge": 1500,
    }
    small = copy.deepcopy(lab.INTERFACES)
    small["bond0"]["mtu"] = 4000
    small["bond0.30"]["mtu"] = 3000
    found = links(small)
    assert (found["bond0"].mtu, found["ens1f0"].mtu, found["bond0.30"].mtu) == (4000, 4000, 3000)


def test_a_parent_carries_the_largest_packets_of_its_vlans() -> None:
    interfaces = {
        "one": {"zone": "storage", "address": "10.20.3.12", "parent": "eth0"},
        "two": {"zone": "edge", "address": "10.20.4.12", "parent": "eth0"},
    }
    assert links(interfaces)["eth0"].mtu == 9000


def test_a_parent_does_not_send_into_its_own_zone_what_that_does_not_pass() -> None:
    interfaces = {
        "eth0": {"zone": "management", "address": "10.20.0.12"},
        "one": {"zone": "storage", "address": "10.20.3.12", "parent": "eth0"},
    }
    with pytest.raises(NetworkError, match=r"eth0: it carries one with MTU 9000, and its own zone"):
        links(interfaces)


def default(interfaces: dict[str, Any], zones: dict[str, Any] = lab.ZONES) -> dict[str, list[Any]]:
    return {
        name: list(link.routes) for name, link in links(interfaces, zones).items() if link.routes
    }


def test_the_default_route_goes_over_the_first_zone_with_a_gateway() -> None:
    edge_first = {
        "fab": {"zone": "fabric", "address": "10.20.2.12"},
        "edg": {"zone": "edge", "address": "10.20.4.12"},
        "man": {
            "zone": "management",
            "address": "10.20.0.12",
            "address6": "fd12:3456:789a:1::12",
        },
    }
    # IPv6 has its own: zone edge has no gateway6.
    assert default(edge_first) == {
        "edg": [Route("0.0.0.0/0", "10.20.4.1")],
        "man": [Route("::/0", "fd12:3456:789a:1::1")],
    }
    edge_first["man"]["gateway"] = True
    assert default(edge_first) == {
        "man": [Route("0.0.0.0/0", "10.20.0.1"), Route("::/0", "fd12:3456:789a:1::1")]
    }
    del edge_first["man"]["gateway"]
    edge_first["edg"]["gateway"] = False
    assert default(edge_first)["man"][0] == Route("0.0.0.0/0", "10.20.0.1")


def test_a_router_may_have_the_address_of_every_link() -> None:
    zones = {**lab.ZONES, "management": {**lab.ZONES["management"], "gateway6": "fe80::1"}}
    interfaces = {
        "man": {
            "zone": "management",
            "address": "10.20.0.12",
            "address6": "fd12:3456:789a:1::12",
            "routes": [{"to": "fd99::/64", "via": "fe80::2"}],
        }
    }

    assert default(interfaces, zones) == {
        "man": [
            Route("0.0.0.0/0", "10.20.0.1"),
            Route("::/0", "fe80::1"),
            Route("fd99::/64", "fe80::2"),
        ]
    }


def test_a_partition_has_full_membership() -> None:
    model = build(lab.IB_INTERFACES, lab.IB_ZONES, ("ib0", "ib1"))
    found = {link.name: link for link in model.links}
    assert (found["ib0.8001"].kind, found["ib0.8001"].tag) == ("ipoib", 0x8001)
    assert found["ib0"].infiniband


def test_the_resolver_is_said_at_the_default_route() -> None:
    assert build(lab.INTERFACES, lab.ZONES).resolver_link == "eno1"
    only = {"bond0": lab.INTERFACES["bond0"]}
    assert build(only, lab.ZONES).resolver_link == "bond0"


def changed(*path: str, **values: Any) -> dict[str, Any]:
    interfaces = copy.deepcopy(lab.INTERFACES)
    at = interfaces
    for key in path:
        at = at[key]
    at.update(values)
    return interfaces


@pytest.mark.parametrize(
    ("interfaces", "said"),
    [
        (changed("eno1", zone="nowhere"), "node_interfaces.eno1.zone: lab_zones has no 'nowhere'"),
        (changed("eno1", address="10.20.1.12"), "10.20.1.12 is outside 10.20.0.0/24"),
        (changed("edge", address6="fd12::1"), "zone 'edge' has no cidr6"),
        (changed("edge", parent="bond0.30"), "bond0.30 is a VLAN itself"),
        (changed("edge", zone="fabric", address="10.20.2.9"), "needs a vlan (Ethernet) or a pkey"),
        (changed("edge", mac="3c:ec:ef:00:00:0b"), "declare the MAC at eno2"),
        (changed("bond0", parent="eno2"), "a bond has members and no parent"),
        (changed("bond0", "bond", primary="eno9"), "eno9 is none of the members"),
        (changed("bond0", "bond", members=["eno1", "ens1f0"]), "eno1 has an address"),
        (changed("bond0", "bond", members=["edge"]), "edge has an address"),
        (changed("bond0", gateway=True), "zone 'fabric' has no gateway"),
        (
            changed(bond1={"bond": {"mode": "802.3ad", "members": ["ens1f0"]}}),
            "ens1f0 is a member of bond0 and bond1",
        ),
        (
            {**changed("edge", gateway=True), "eno1": {**lab.INTERFACES["eno1"], "gateway": True}},
            "gateway is true at eno1 and edge: leave it at one",
        ),
        (
            changed("eno1", routes=[{"to": "10.99.0.0/16", "via": "10.20.4.1"}]),
            "10.20.4.1 is outside zone 'management'",
        ),
        (
            changed("eno1", routes=[{"to": "fd99::/48", "via": "10.20.0.254"}]),
            "fd99::/48 is IPv6, and its router 10.20.0.254 is not",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(interfaces: dict[str, Any], said: str) -> None:
    with pytest.raises(NetworkError) as refused:
        build(interfaces, lab.ZONES)
    assert said in str(refused.value)


def test_infiniband_carries_no_jumbo_packets() -> None:
    zones = {**lab.IB_ZONES, "storage": {"cidr": "10.30.1.0/24", "mtu": 9000}}
    with pytest.raises(NetworkError, match=r"ib1: MTU 9000 on InfiniBand, .* 4092 bytes"):
        build(lab.IB_INTERFACES, zones, ("ib0", "ib1"))
