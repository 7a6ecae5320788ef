"""Who pings whom with packets of which size, and what is said of a link that they don't cross."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.network import path_mtu
from ansible_collections.gpulab.core.plugins.plugin_utils.network import path_mtu_rings

ZONES: dict[str, Any] = {"management": {"cidr": "10.20.0.0/24"}, "fabric": {"mtu": 9000}}


def node(number: int, **fabric: Any) -> dict[str, Any]:
    return {
        "eth0": {"zone": "management", "address": f"10.20.0.{number}"},
        "eth1": {"zone": "fabric", "address": f"10.20.2.{number}", **fabric},
        "trunk": {},
    }


NODES = {
    "a": node(1, address6="fd12::1"),
    "b": node(2, address6="fd12::2", mtu=4000),
    "c": node(3),
    "d": {"eth0": {"zone": "management", "address": "10.20.0.4"}},
}


def edges(zone: str, version: str) -> dict[str, str]:
    return {
        name: target["peer"]
        for name in NODES
        for target in path_mtu_rings.rings(NODES, ZONES)[name]
        if target["zone"] == zone and (":" in target["address"]) == (version == "6")
    }


def test_each_machine_pings_the_next_of_its_zone() -> None:
    assert edges("management", "4") == {"a": "b", "b": "c", "c": "d", "d": "a"}
    assert edges("fabric", "4") == {"a": "b", "b": "c", "c": "a"}
    assert edges("fabric", "6") == {"a": "b", "b": "a"}


def test_the_smaller_mtu_of_both_ends_counts() -> None:
    found = {
        (name, target["address"]): target["mtu"]
        for name in NODES
        for target in path_mtu_rings.rings(NODES, ZONES)[name]
    }
    assert found["a", "10.20.0.2"] == 1500
    assert found["a", "10.20.2.2"] == 4000
    assert found["b", "10.20.2.3"] == 4000
    assert found["c", "10.20.2.1"] == 9000


def test_a_machine_alone_in_its_zone_has_nobody_to_ping() -> None:
    assert path_mtu_rings.rings({"a": NODES["a"]}, ZONES) == {"a": []}


@pytest.mark.parametrize(
    ("address", "mtu", "payload"),
    [("10.20.2.2", 9000, 8972), ("fd12::2", 9000, 8952), ("10.20.2.2", 1500, 1472)],
)
def test_the_whole_packet_is_of_the_mtu(address: str, mtu: int, payload: int) -> None:
    words = path_mtu.command(address, "eth1", mtu)
    assert words[words.index("-s") + 1] == str(payload)
    assert words[words.index("-M") + 1] == "do"


LOST = """\
PING 10.20.2.2 (10.20.2.2) from 10.20.2.1 eth1: 8972(9000) bytes of data.

--- 10.20.2.2 ping statistics ---
3 packets transmitted, 0 received, 100% packet loss, time 408ms
"""
OWN = """\
PING 10.20.2.2 (10.20.2.2) from 10.20.2.1 eth1: 8972(9000) bytes of data.
ping: local error: message too long, mtu=1500

--- 10.20.2.2 ping statistics ---
3 packets transmitted, 0 received, +3 errors, 100% packet loss, time 410ms
"""
ROUTER = """\
PING 10.9.0.2 (10.9.0.2) 8972(9000) bytes of data.
From 10.20.2.254 icmp_seq=1 Frag needed and DF set (mtu = 1400)

--- 10.9.0.2 ping statistics ---
3 packets transmitted, 0 received, +1 errors, 100% packet loss, time 410ms
"""
SOME = """\
3 packets transmitted, 1 received, 66.6% packet loss, time 408ms
"""


def test_one_answer_proves_the_way() -> None:
    assert [path_mtu.received(said) for said in (LOST, OWN, SOME, "ping: no such")] == [0, 0, 1, 0]


@pytest.mark.parametrize(
    ("said", "small", "why"),
    [
        (LOST, SOME, "packets of 1280 bytes pass: a switch or a card between them drops larger"),
        (LOST, LOST, "smaller packets do not come back either"),
        (OWN, SOME, "packets of 1500 bytes are the largest that pass"),
        (ROUTER, SOME, "packets of 1400 bytes are the largest that pass"),
    ],
)
def test_why_a_link_fails(said: str, small: str, why: str) -> None:
    assert why in path_mtu.why(said, small)


@pytest.mark.parametrize(
    ("answers", "asked", "wrong"),
    [
        ([SOME], [9000], ""),
        # The peer's card was replaced a moment ago.
        ([LOST, SOME, SOME], [9000, 1280, 9000], ""),
        ([LOST, SOME, LOST], [9000, 1280, 9000], "packets of 1280 bytes pass"),
        ([LOST, LOST], [9000, 1280], "smaller packets do not come back either"),
    ],
)
def test_packets_of_the_mtu_are_tried_again_where_smaller_ones_pass(
    answers: list[str], asked: list[int], wrong: str
) -> None:
    said, sizes = iter(answers), []

    def ask(size: int) -> str:
        sizes.append(size)
        return next(said)

    told = path_mtu.judge(ask, 9000)

    assert sizes == asked
    assert told.startswith(wrong)
    assert bool(told) == bool(wrong)
