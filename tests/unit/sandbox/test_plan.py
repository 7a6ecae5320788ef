"""Subnets and addresses: free ones, stable ones, and clear refusals."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpulab.core.plugins.module_utils.sandbox.errors import SandboxError
from ansible_collections.gpulab.core.plugins.module_utils.sandbox.plan import (
    Machine,
    Plan,
    parse_routes,
    plan,
    subnet6,
)

HEAD = Machine("head01", "container", ("management", "edge"))
NODE = Machine("node01", "container", ("management", "fabric"))
LAB = "gpulab-demo-1"
ZONES = ["management", "fabric", "edge"]


def test_every_zone_gets_its_own_subnet_and_every_machine_one_number() -> None:
    made = plan(LAB, ZONES, [HEAD, NODE], [], Plan())
    nets = [ipaddress.ip_network(net) for net in made.subnets.values()]
    assert len(set(nets)) == 3
    assert set(made.addresses["head01"]) == {"management", "edge"}
    assert made.addresses["head01"]["management"].endswith(".11")
    assert made.addresses["node01"]["fabric"].endswith(".12")
    assert made.gateway("fabric").endswith(".1")


def test_every_zone_has_a_unique_local_ipv6_network_too() -> None:
    made = plan(LAB, ZONES, [HEAD, NODE], [], Plan())
    nets = [ipaddress.IPv6Network(net) for net in made.subnets6.values()]
    assert len(set(nets)) == 3
    assert {net.prefixlen for net in nets} == {64}
    # RFC 4193: fd00::/8 holds the locally assigned ones.
    assert all(net.subnet_of(ipaddress.IPv6Network("fd00::/8")) for net in nets)


def test_a_machines_ipv6_address_reads_like_its_ipv4_address() -> None:
    made = plan(LAB, ZONES, [HEAD, NODE], [], Plan())
    for machine, zones in made.addresses.items():
        for zone, address in zones.items():
            own = made.address6(machine, zone)
            assert ipaddress.IPv6Address(own) in ipaddress.IPv6Network(made.subnets6[zone])
            assert own.rpartition("::")[2] == address.rpartition(".")[2]
    assert made.gateway6("edge") == made.subnets6["edge"].replace("/64", "1")


def test_two_labs_and_two_zones_never_share_an_ipv6_network() -> None:
    found = {subnet6(lab, zone) for lab in ("gpulab-a", "gpulab-b") for zone in ZONES}
    assert len(found) == 6
    assert subnet6("gpulab-a", "edge") == subnet6("gpulab-a", "edge")


def test_a_second_start_changes_nothing_even_when_its_own_networks_are_busy() -> None:
    first = plan(LAB, ZONES, [HEAD, NODE], [], Plan())
    assert plan(LAB, ZONES, [HEAD, NODE], first.subnets.values(), first, ZONES) == first


def test_a_subnet_that_another_took_after_an_interrupted_start_is_given_up() -> None:
    first = plan(LAB, ZONES, [HEAD, NODE], [], Plan())
    taken = first.subnets["fabric"]
    again = plan(LAB, ZONES, [HEAD, NODE], first.subnets.values(), first, ["management", "edge"])
    assert again.subnets["fabric"] != taken
    assert again.subnets["management"] == first.subnets["management"]
    assert again.addresses["node01"]["fabric"].endswith(".12")


def test_a_new_machine_takes_no_address_from_an_old_one() -> None:
    first = plan(LAB, ZONES, [HEAD, NODE], [], Plan())
    new = Machine("node00", "container", ("management",))
    grown = plan(LAB, ZONES, [new, HEAD, NODE], [], first)
    assert grown.addresses["head01"] == first.addresses["head01"]
    assert grown.addresses["node00"]["management"].endswith(".13")


def test_a_vpn_over_all_of_ten_is_avoided() -> None:
    made = plan(LAB, ["management"], [], ["10.0.0.0/8"], Plan())
    assert made.subnets["management"] == "172.24.0.0/24"


def test_a_host_without_free_addresses_is_told_so() -> None:
    everything = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]
    with pytest.raises(SandboxError, match=r"no private /24 is free .* zone 'management'"):
        plan(LAB, ["management"], [], everything, Plan())


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        (Machine("node01", "container", ()), "sandbox_zones is empty"),
        (Machine("node01", "container", ("fabrik",)), "'fabrik', which lab_zones does not"),
    ],
)
def test_wrong_zones_are_named(machine: Machine, message: str) -> None:
    with pytest.raises(SandboxError, match=message):
        plan(LAB, ZONES, [machine], [], Plan())


def test_more_machines_than_addresses_is_refused() -> None:
    crowd = [Machine(f"n{i}", "container", ("management",)) for i in range(300)]
    with pytest.raises(SandboxError, match="no host number is left"):
        plan(LAB, ZONES, crowd, [], Plan())


@given(
    st.lists(
        st.ip_addresses(v=4).flatmap(
            lambda ip: st.integers(9, 30).map(
                lambda length: str(ipaddress.ip_network(f"{ip}/{length}", strict=False))
            )
        ),
        max_size=8,
    )
)
def test_nothing_chosen_ever_overlaps_what_is_busy(busy: list[str]) -> None:
    made = plan(LAB, ZONES, [], busy, Plan())
    nets = [ipaddress.ip_network(net) for net in [*made.subnets.values(), *busy]]
    chosen, taken = nets[:3], nets[3:]
    assert not [(a, b) for a in chosen for b in taken if a.overlaps(b)]
    assert not [(a, b) for a in chosen for b in chosen if a is not b and a.overlaps(b)]


def test_routes_are_read_from_the_kernels_table() -> None:
    table = (
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "podman3\t004D590A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        "tun0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0\n"
    )
    assert parse_routes(table) == ["10.89.77.0/24", "10.0.0.0/8"]
