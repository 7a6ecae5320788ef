"""What a network needs beside its flows, and what others on a node have set up, goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from firewall_packets.matrix import HOME, PROBER, RULESET, Machines, Probe, ask, send

OUTSIDE = {4: "192.31.196.9", 6: "2620:4f:8000::9"}
NETAVARK = "/usr/lib/podman/netavark"
#: What podman asks of netavark, which sets up its networks, for a container that publishes 5000 and
#: 5001. Only that container is a network namespace without podman: nothing else of it matters here.
ENGINE = json.dumps(
    {
        "container_id": "c0" * 32,
        "container_name": "box",
        "port_mappings": [
            {
                "container_port": 7,
                "host_ip": "",
                "host_port": port,
                "protocol": "tcp",
                "range": 1,
            }
            for port in (5000, 5001)
        ],
        "networks": {"box": {"static_ips": ["10.88.77.2"], "interface_name": "eth0"}},
        "network_info": {
            "box": {
                "name": "box",
                "id": "b0" * 32,
                "driver": "bridge",
                "network_interface": "podman77",
                "subnets": [{"subnet": "10.88.77.0/24", "gateway": "10.88.77.1"}],
                "ipv6_enabled": False,
                "internal": False,
                "dns_enabled": False,
                "ipam_options": {"driver": "host-local"},
            }
        },
    }
)
#: An nftables table that means nothing to anybody, with all that a table can hold.
FOREIGN = """
table inet foreign {
    map ports { type inet_service : verdict; elements = { 1 : drop, 2 : accept } }
    counter seen { packets 17 bytes 42 }
    chain input {
        type filter hook input priority 10
        tcp dport vmap @ports
    }
}
table bridge foreign {
    chain unused { }
}
table arp foreign {
    chain unused { }
}
"""
#: Say one word each 0.2 s on one connection, and count the answers in a file.
TALK = """
import socket, sys, time
talk = socket.create_connection((sys.argv[1], 29505), timeout=5)
for count in range(1, 10000):
    talk.sendall(b"x")
    assert talk.recv(1) == b"x"
    open(sys.argv[2], "w").write(str(count))
    time.sleep(0.2)
"""


@pytest.mark.parametrize("version", [4, 6])
def test_the_head_puts_its_address_on_what_leaves(machines: Machines, version: int) -> None:
    for name in ("node01", "node02"):
        result = ask(machines, name, "stranger", OUTSIDE[version], "tcp", 443)
        assert result.source == machines.address(name, "storage", version)
        assert result.seen == machines.address("head01", "public", version)


@pytest.mark.parametrize("version", [4, 6])
def test_a_narrow_link_is_learnt_of(machines: Machines, version: int) -> None:
    """Packets of 1400 bytes meet an uplink of 1300: the head must be able to say so."""
    way = f"ip -{version} route get {OUTSIDE[version]}"
    machines.ssh("head01", "ip link set eth3 mtu 1300")
    try:
        asked = Probe("node01", None, "stranger", OUTSIDE[version], "udp", 53, 1400)
        results = [send(machines, [asked])[0].verdict for _ in range(3)]
        assert results[-1] == "open"
        assert "mtu 1300" in machines.ssh("node01", way)
    finally:
        machines.ssh("head01", "ip link set eth3 mtu 1500")
        machines.ssh("node01", f"ip -{version} route flush cache")


def test_neighbours_are_discovered_anew(machines: Machines) -> None:
    target = machines.address("head01", "storage", 6)
    for name in ("node01", "head01"):
        machines.ssh(name, "ip -6 neigh flush all")
    assert ask(machines, "node01", "head01", target, "tcp", 2049).verdict == "open"
    shown = machines.ssh("node01", f"ip -6 neigh show {target}")
    assert "lladdr" in shown
    listed = machines.ssh("node01", "nft list chain inet gpulab input")
    discovery = next(line for line in listed.splitlines() if "neighbour discovery" in line)
    assert "counter packets 0 " not in discovery


def test_a_connection_outlives_the_ruleset_it_began_under(machines: Machines) -> None:
    target = machines.address("node01", "management")
    unit = "systemd-run --quiet --collect --unit=gpulab-test-"
    counted = f"{HOME}/counted"
    machines.ssh("node02", f"sh -c 'cat > {HOME}/talk.py'", TALK)
    machines.ssh("node01", f"{unit}echo ncat --listen {target} 29505 --exec /bin/cat")
    try:
        time.sleep(1)
        machines.ssh("node02", f"{unit}talk python3 {HOME}/talk.py {target} {counted}")
        time.sleep(1)
        for _ in range(3):
            before = int(machines.ssh("node02", f"cat {counted}"))
            machines.close()
            time.sleep(1)
            assert int(machines.ssh("node02", f"cat {counted}")) > before
    finally:
        for name, what in (("node02", "talk"), ("node01", "echo")):
            machines.ssh(name, f"sh -c 'systemctl stop gpulab-test-{what} || true'")


@pytest.fixture
def container(machines: Machines) -> Iterator[None]:
    """A container on node02, by podman's network program: 5000 has a flow, 5001 has none."""
    try:
        machines.ssh("node02", "ip netns add box")
        machines.ssh("node02", f"sh -ec 'cat > {HOME}/box.json'", ENGINE)
        machines.ssh("node02", f"{NETAVARK} --file {HOME}/box.json setup /run/netns/box")
        machines.ssh(
            "node02",
            "systemd-run --quiet --collect --unit=gpulab-test-box --property=Type=notify "
            "--property=NotifyAccess=all "
            f"ip netns exec box python3 {PROBER} listen 10.88.77.2 -- 7",
        )
        yield
    finally:
        machines.ssh(
            "node02",
            f"sh -c 'systemctl stop gpulab-test-box; {NETAVARK} --file {HOME}/box.json teardown "
            f"/run/netns/box; ip netns delete box; rm -f {HOME}/box.json; true'",
        )


@pytest.mark.usefixtures("container")
def test_a_published_port_is_open_to_its_flow_alone(machines: Machines) -> None:
    for zone, head, node in (
        ("management", "open", "silent"),
        ("storage", "silent", "silent"),
    ):
        target = machines.address("node02", zone)
        with machines.without_firewall(["head01", "node01"]):
            assert ask(machines, "head01", "node02", target, "tcp", 5000).verdict == head
            assert ask(machines, "head01", "node02", target, "tcp", 5001).verdict == "silent"
            assert ask(machines, "node01", "node02", target, "tcp", 5000).verdict == node
            assert ask(machines, "node01", "node02", target, "tcp", 5001).verdict == "silent"
    with machines.without_firewall(["head01", "node01", "node02"]):
        # The control: all these are stopped by the firewall and by nothing else.
        assert ask(machines, "node01", "node02", target, "tcp", 5001).verdict == "open"


@pytest.mark.usefixtures("container")
def test_a_container_goes_where_its_machine_may(machines: Machines) -> None:
    def verdicts(*asked: tuple[str, int]) -> list[str]:
        words = [[None, "tcp", target, port, 8] for target, port in asked]
        answers = machines.ssh(
            "node02", f"ip netns exec box python3 {PROBER} probe", json.dumps(words)
        )
        return [answer["verdict"] for answer in json.loads(answers)]

    node01 = machines.address("node01", "management")
    assert verdicts(
        (OUTSIDE[4], 443),
        (OUTSIDE[4], 444),
        (node01, 29500),
        (node01, 40000),
        # Of its own machine a container gets names and addresses, and nothing else.
        (machines.address("node02", "management"), 29500),
        ("10.88.77.1", 22),
    ) == ["open", "silent", "open", "silent", "silent", "silent"]


@pytest.mark.usefixtures("container")
def test_tables_of_others_are_what_they_were(machines: Machines) -> None:
    def others() -> str:
        tables = machines.ssh("node02", "nft list tables").splitlines()
        return "".join(
            machines.ssh("node02", f"nft --stateless list {table}")
            for table in tables
            if table != "table inet gpulab"
        )

    machines.ssh("node02", "nft -f -", FOREIGN)
    try:
        before = others()
        engine = ("ip nat", "ip filter")
        for table in (*engine, "inet foreign", "bridge foreign", "arp foreign"):
            assert f"\ntable {table} {{" in f"\n{before}"
        assert before.count("dnat to 10.88.77.2:7") == 2
        machines.ssh("node02", f"nft -f {RULESET}")
        with machines.without_firewall(["node02"]):
            assert others() == before
        assert others() == before
        assert "packets 17 bytes 42" in machines.ssh("node02", "nft list table inet foreign")
    finally:
        for family in ("inet", "bridge", "arp"):
            machines.ssh("node02", f"nft delete table {family} foreign")


@pytest.fixture
def wild(machines: Machines) -> Iterator[None]:
    """A wire into node01 that nobody declared, with somebody at its other end."""
    try:
        machines.ssh(
            "node01",
            "sh -ec 'ip netns add wild; ip link add wild0 type veth peer name eth0 netns wild; "
            "ip address add 10.77.0.1/24 dev wild0; ip address add fd77::1/64 dev wild0 nodad; "
            "ip link set wild0 up; ip -n wild address add 10.77.0.2/24 dev eth0; "
            "ip -n wild address add fd77::2/64 dev eth0 nodad; ip -n wild link set eth0 up; "
            "ip -n wild route add default via 10.77.0.1; "
            "ip -n wild route add default via fd77::1'",
        )
        yield
    finally:
        machines.ssh("node01", "sh -c 'ip netns delete wild; ip link delete wild0; true'")


@pytest.mark.usefixtures("wild")
def test_an_interface_in_no_zone_is_no_way_in(machines: Machines) -> None:
    own = [machines.address("node01", "management", version) for version in (4, 6)]
    words = [
        [None, protocol, target, port, 8]
        for target in ("10.77.0.1", "fd77::1", *own)
        for protocol, port in (("tcp", 22), ("tcp", 29500), ("udp", 40000), ("icmp", 0))
    ]

    def verdicts() -> set[str]:
        command = f"ip netns exec wild python3 {PROBER} probe"
        answers = json.loads(machines.ssh("node01", command, json.dumps(words)))
        return {answer["verdict"] for answer in answers}

    assert verdicts() == {"silent"}
    assert machines.counted("node01", "inet gpulab refused_in") >= len(words)
    with machines.without_firewall(["node01"]):
        assert verdicts() == {"open", "refused"}
