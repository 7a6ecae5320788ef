"""Names that flows need, and routers among the machines."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.declaration.conftest import Lab


@pytest.mark.parametrize("name", ["outside", "gateways"])
def test_a_group_with_a_words_name_is_refused(sound: Lab, name: str) -> None:
    sound.groups[name] = ["node01"]

    (error,) = sound.check()

    assert error["key"] == name
    assert f"in a flow '{name}' means" in error["wrong"]
    assert error["right"] == "give the group another name"


@pytest.mark.parametrize("name", ["outside", "gateways", "all"])
def test_a_machine_with_a_words_name_is_refused(sound: Lab, name: str) -> None:
    sound.hosts[name] = {"node_interfaces": {"eth0": {"zone": "bmc", "address": "10.20.1.99"}}}
    sound.groups["edge"].append(name)

    (error,) = sound.check()

    assert error["hosts"] == [name]
    assert error["right"] == "give the machine another name"


def test_a_zone_named_all_is_refused(sound: Lab) -> None:
    # Of one without a way out, the flows from `all` to the routers would be told too.
    sound.lab["lab_zones"]["all"] = {"cidr": "10.41.0.0/24", "outside": True}

    (error,) = sound.check()

    assert error["key"] == "lab_zones.all"


def test_an_at_sign_in_a_groups_name_is_refused(sound: Lab) -> None:
    sound.groups["gpu@rack1"] = ["node01"]

    (error,) = sound.check()

    assert (error["key"], error["right"]) == ("gpu@rack1", "write it without: gpu_rack1")


def test_an_at_sign_in_a_zones_name_is_refused(sound: Lab) -> None:
    sound.lab["lab_zones"]["a@b"] = {"cidr": "10.41.0.0/24"}

    assert [error["key"] for error in sound.check()] == ["lab_zones.a@b"]


def test_the_words_and_a_zone_within_a_group_are_ends(sound: Lab) -> None:
    ends = ("all", "all@fabric", "gateways", "outside", "compute@fabric", "node01@fabric", "edge")
    for end in ends:
        sound.lab["lab_flows"] = [{"name": "x", "from": "head01", "to": end, "protocol": "any"}]
        assert sound.check() == []


def test_a_flow_that_another_contains_is_fine(sound: Lab) -> None:
    wide = {"name": "wide", "from": "all", "to": "all", "protocol": "any"}
    narrow = {"name": "narrow", "from": "node01", "to": "node02", "protocol": "tcp", "ports": [22]}
    sound.lab["lab_flows"] = [wide, narrow]

    assert sound.check() == []


def test_a_port_that_this_machine_does_not_know_is_refused_all_the_same(sound: Lab) -> None:
    sound.lab["lab_flows"][0]["ports"] = ["nosuchservice"]

    (error,) = sound.check()

    assert error["wrong"] == '"nosuchservice" is the name of a port'
    assert error["right"] == "write its number, for example 22 for ssh"


def test_two_public_zones_are_fine(sound: Lab) -> None:
    sound.lab["lab_zones"]["public2"] = {"cidr": "10.44.0.0/24", "public": True}

    assert sound.check() == []


def test_a_machine_with_one_leg_cannot_be_the_router(sound: Lab) -> None:
    sound.lab["lab_zones"]["edge"]["gateway"] = "10.20.3.11"

    (error,) = sound.check()

    assert error["hosts"] == ["edge01"]
    assert error["wrong"] == "10.20.3.11 is the gateway of zone 'edge'"


def test_a_machine_with_legs_in_two_zones_may_be_the_router(sound: Lab) -> None:
    sound.lab["lab_zones"]["edge"]["gateway"] = "10.20.3.60"

    assert sound.check() == []


def test_a_route_by_the_other_protocol_is_refused(sound: Lab) -> None:
    route = {"to": "fd99::/64", "via": "10.20.5.7"}
    sound.hosts["router01"]["node_interfaces"]["bond1"]["routes"] = [route]

    (error,) = sound.check()

    assert error["wrong"] == "10.20.5.7 cannot be the way to fd99::/64"


def test_one_network_over_two_routers_is_refused(sound: Lab) -> None:
    route = {"to": "10.99.0.0/16", "via": "10.20.0.7"}
    sound.hosts["router01"]["node_interfaces"]["eth0"]["routes"] = [route]

    (error,) = sound.check()

    assert error["key"] == "node_interfaces.eth0.routes[0].to"
    assert "10.99.0.0/16 is already taken by router01" in error["wrong"]


def test_a_default_route_of_ones_own_needs_a_word_about_the_gateway(sound: Lab) -> None:
    own = copy.deepcopy(sound)
    for interface in ({"gateway": False}, {}):
        body = {"zone": "management", "address": "10.20.0.11", **interface}
        body["routes"] = [{"to": "0.0.0.0/0", "via": "10.20.0.9"}]
        own.hosts["head01"]["node_interfaces"]["eno1"] = body
        assert len(own.check()) == (0 if interface else 1)


@pytest.mark.parametrize("given", ["fe80::1", "fe80::be24:11ff:fe00:1", "FE80::1"])
def test_a_router_may_have_the_address_of_every_link(sound: Lab, given: str) -> None:
    for zone in ("management", "public"):
        sound.lab["lab_zones"][zone]["gateway6"] = given
    sound.hosts["router01"]["node_interfaces"]["bond1"]["routes"].append(
        {"to": "fd99::/64", "via": given}
    )

    assert sound.check() == []


@pytest.mark.parametrize(
    ("zone", "key", "given", "wrong", "right"),
    [
        ("bmc", "gateway6", "fe80::1", "zone 'bmc' has no IPv6 network", "leave gateway6 out"),
        ("management", "gateway6", "fe80::1%eno1", "is not an IPv6 address", "write fe80::1"),
        ("management", "gateway6", "fe80::1/64", "is not an IPv6 address", "write fe80::1"),
        ("management", "gateway6", "fd12:3456:789b::1", "is outside zone", "router's address"),
        # Routers on the link, outside of its network: a limit that the documentation names.
        ("management", "gateway", "169.254.1.1", "is outside zone", "router's address"),
        ("management", "gateway", "172.31.1.1", "is outside zone", "router's address"),
        ("management", "gateway", "fe80::1", "is not an IPv4 address", "IPv4 address"),
    ],
)
def test_a_router_that_nobody_reaches_is_refused(
    sound: Lab, zone: str, key: str, given: str, wrong: str, right: str
) -> None:
    sound.lab["lab_zones"][zone][key] = given

    (error,) = sound.check()

    assert error["key"] == f"lab_zones.{zone}.{key}"
    assert wrong in error["wrong"]
    assert right in error["right"]


def test_a_node_has_no_address_of_every_link(sound: Lab) -> None:
    sound.hosts["router01"]["node_interfaces"]["bond1"]["address6"] = "fe80::60"

    (error,) = sound.check()

    assert "is outside zone 'public'" in error["wrong"]


def test_a_zone_that_is_not_up_yet_is_one_mistake(sound: Lab) -> None:
    sound.hosts["edge01"]["node_interfaces"] = {}
    empty = {"cidr": "", "cidr6": "", "gateway": "", "gateway6": ""}
    sound.lab["lab_zones"]["new"] = empty

    (error,) = sound.check()

    assert (error["key"], error["wrong"]) == ("lab_zones.new.cidr", "the zone has no network")
