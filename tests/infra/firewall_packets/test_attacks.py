"""Packets that lie about where they come from, that come too often, or in pieces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from firewall_packets.matrix import HOME, Machines, Probe, ask, send

FORGE = f"{HOME}/forge.py"
#: Behind every chain that may drop: what it counts has arrived.
ARRIVED = """
table inet gpulab_test {
    chain arrived {
        type filter hook input priority 100
        udp dport { 8125, 40000 } counter
    }
}
"""


def interface_of(machines: Machines, name: str, zone: str) -> str:
    """Name a node's interface in a zone."""
    shown = machines.ssh(name, f"ip -o address show to {machines.address(name, zone)}")
    return shown.split()[1]


@pytest.fixture
def forge(machines: Machines) -> Callable[..., bool]:
    """Send a forged packet, ``forge(sender, receiver, zone, source, target)``; say if it arrives.

    It goes from ``sender`` in the network of ``zone``, past its own firewall.
    """
    text = (Path(__file__).parent / "forge.py").read_text()

    def one(
        sender: str,
        receiver: str,
        zone: str,
        source: str,
        target: str,
        port: int = 40000,
        pieces: str = "",
    ) -> bool:
        machines.ssh(sender, f"sh -c 'cat > {FORGE}'", text)
        interface = interface_of(machines, sender, zone)
        near = interface_of(machines, receiver, zone)
        mac = machines.ssh(receiver, f"cat /sys/class/net/{near}/address").strip()
        machines.ssh(receiver, "nft -f -", ARRIVED)
        try:
            machines.ssh(
                sender, f"python3 {FORGE} {interface} {mac} {source} {target} {port} x {pieces}"
            )
            # The packet is on a virtual wire: it is there when the sender's command has ended.
            return machines.counted(receiver, "inet gpulab_test arrived") > 0
        finally:
            machines.ssh(receiver, "nft delete table inet gpulab_test")

    return one


@pytest.mark.parametrize("version", [4, 6])
def test_what_is_true_arrives(machines: Machines, forge: Callable[..., bool], version: int) -> None:
    """The control of the tests below: by the same tools, a true packet does arrive."""
    source = machines.address("node02", "fabric", version)
    target = machines.address("node01", "fabric", version)
    assert forge("node02", "node01", "fabric", source, target)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("sender", "receiver", "zone", "pretended", "target", "port"),
    [
        # A node says on management that it is on the fabric, where everything may pass.
        ("node02", "node01", "management", ("node02", "fabric"), "fabric", 40000),
        # A node says on storage that it is its neighbour, on management.
        ("node02", "head01", "storage", ("node01", "management"), "management", 8125),
        # The edge says that it is a node; the head is attached to storage itself.
        ("edge01", "head01", "edge", ("node01", "storage"), "storage", 8125),
        # The edge says that it is a node on the fabric, which the head has no part in.
        ("edge01", "head01", "edge", ("node01", "fabric"), "edge", 8125),
        # A stranger at the uplink says that he is a node.
        ("stranger", "head01", "public", ("node01", "storage"), "public", 8125),
        ("stranger", "head01", "public", ("node01", "fabric"), "public", 8125),
    ],
)
def test_a_source_of_another_zone_is_dropped_and_counted(
    machines: Machines,
    forge: Callable[..., bool],
    sender: str,
    receiver: str,
    zone: str,
    pretended: tuple[str, str],
    target: str,
    port: int,
    version: int,
) -> None:
    source = machines.address(*pretended, version)
    before = machines.counted(receiver, "inet gpulab refused_source")
    assert not forge(
        sender, receiver, zone, source, machines.address(receiver, target, version), port
    )
    assert machines.counted(receiver, "inet gpulab refused_source") == before + 1


@pytest.mark.parametrize(
    "bogon",
    [
        "10.99.99.9",
        "100.64.0.9",
        "169.254.7.7",
        "172.30.1.1",
        "192.0.2.9",
        "192.168.77.7",
        "198.18.0.9",
        "2001:db8::9",
        "fd99::9",
        "fec0::9",
        "2001:10::9",
    ],
)
def test_a_bogon_at_the_uplink_is_dropped_and_counted(
    machines: Machines, forge: Callable[..., bool], bogon: str
) -> None:
    # Everybody outside may knock at the bastion's port: only the source is wrong.
    target = machines.address("head01", "public", 6 if ":" in bogon else 4)
    before = machines.counted("head01", "inet gpulab refused_source")
    assert not forge("stranger", "head01", "public", bogon, target)
    assert machines.counted("head01", "inet gpulab refused_source") == before + 1


@pytest.mark.parametrize("version", [4, 6])
def test_pieces_without_a_beginning_do_not_arrive(
    machines: Machines, forge: Callable[..., bool], version: int
) -> None:
    source = machines.address("node02", "management", version)
    target = machines.address("node01", "management", version)
    assert not forge("node02", "node01", "management", source, target, pieces="fragments")


@pytest.mark.parametrize("version", [4, 6])
def test_datagrams_in_pieces_pass_where_their_flow_does(machines: Machines, version: int) -> None:
    """Of four packets on a wire of 1500 bytes; only the first piece tells the port."""
    target = machines.address("head01", "management", version)
    asked = [Probe("node01", None, "head01", target, "udp", port, 5000) for port in (8125, 40000)]
    passed, refused = send(machines, asked)
    assert (passed.verdict, refused.verdict) == ("open", "silent")


@pytest.mark.parametrize("version", [4, 6])
def test_who_comes_too_often_waits_and_others_do_not(machines: Machines, version: int) -> None:
    """The bastion's flow: 6 a minute from one address of the outside."""
    target = machines.address("head01", "public", version)
    brute, other = [a for a in machines.strangers["stranger"] if (":" in a) == (version == 6)][:2]
    attempt = Probe("stranger", brute, "head01", target, "tcp", 2222)
    verdicts = [send(machines, [attempt])[0].verdict for _ in range(7)]
    assert verdicts == ["open"] * 6 + ["silent"]
    calm = Probe("stranger", other, "head01", target, "tcp", 2222)
    assert send(machines, [calm])[0].verdict == "open"
    # Each admitted connection was logged by its rule, which is counted with it.
    assert machines.counted("head01", "inet gpulab refused_in") >= 1


def test_each_machine_counts_for_itself(machines: Machines) -> None:
    """A head that goes to all nodes at once has the rate of SSH, 60 a minute, at each of them."""
    targets = [machines.address(node, "management") for node in ("node01", "node02")]
    asked = [Probe("head01", None, "", target, "tcp", 22) for target in targets for _ in range(45)]
    assert [result.verdict for result in send(machines, asked)] == ["open"] * 90


def test_the_edge_cannot_go_out_whatever_is_declared(machines: Machines) -> None:
    """It could by flows (all may fetch packages): its zone says no, on both machines."""
    targets = machines.strangers["stranger"][:4]
    for target in targets:
        assert ask(machines, "node01", "stranger", target, "tcp", 443).verdict == "open"
    edge = [Probe("edge01", None, "stranger", target, "tcp", 443) for target in targets]
    assert {result.verdict for result in send(machines, edge)} == {"silent"}
    with machines.without_firewall(["edge01"]):
        assert {result.verdict for result in send(machines, edge)} == {"silent"}


@pytest.mark.parametrize("address", ["224.0.0.1", "255.255.255.255", "ff02::1"])
def test_what_is_sent_to_everybody_is_not_let_in(
    machines: Machines, forge: Callable[..., bool], address: str
) -> None:
    source = machines.address("node02", "management", 6 if ":" in address else 4)
    assert not forge("node02", "node01", "management", source, address)
    with machines.without_firewall(["node01"]):
        assert forge("node02", "node01", "management", source, address)


@pytest.mark.parametrize("port", [22, 40000])
def test_link_local_addresses_are_no_way_in(machines: Machines, port: int) -> None:
    listed = machines.ssh("node01", "ip -6 -o address show scope link dev eth0")
    target = listed.split(" inet6 ")[1].split("/")[0]
    with machines.without_firewall(["node02"]):
        probe = Probe("node02", None, "node01", f"{target}%eth0", "tcp", port)
        assert send(machines, [probe])[0].verdict == "silent"
