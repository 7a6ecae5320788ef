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
)

HEAD = Machine("head01", "container", ("management", "edge"))
NODE = Machine("node01", "container", ("management", "fabric"))
ZONES = ["management", "fabric", "edge"]


def test_every_zone_gets_its_own_subnet_and_every_machine_one_number() -> None:
    made = plan(ZONES, [HEAD, NODE], [], Plan())
    nets = [ipaddress.ip_network(net) for net in made.subnets.values()]
    assert len(set(nets)) == 3
    assert set(made.addresses["head01"]) == {"management", "edge"}
    assert made.addresses["head01"]["management"].endswith(".11")
    assert made.addresses["node01"]["fabric"].endswith(".12")
    assert made.gateway("fabric").endswith(".1")


def test_a_second_start_changes_nothing_even_when_its_own_networks_are_busy() -> None:
    first = plan(ZONES, [HEAD, NODE], [], Plan())
    assert plan(ZONES, [HEAD, NODE], first.subnets.values(), first, ZONES) == first


def test_a_subnet_that_another_took_after_an_interrupted_start_is_given_up() -> None:
    first = plan(ZONES, [HEAD, NODE], [], Plan())
    taken = first.subnets["fabric"]
    again = plan(ZONES, [HEAD, NODE], first.subnets.values(), first, ["management", "edge"])
    assert again.subnets["fabric"] != taken
    assert again.subnets["management"] == first.subnets["management"]
    assert again.addresses["node01"]["fabric"].endswith(".12")


def test_a_new_machine_takes_no_address_from_an_old_one() -> None:
    first = plan(ZONES, [HEAD, NODE], [], Plan())
    new = Machine("node00", "container", ("management",))
    grown = plan(ZONES, [new, HEAD, NODE], [], first)
    assert grown.addresses["head01"] == first.addresses["head01"]
    assert grown.addresses["node00"]["management"].endswith(".13")


def test_a_vpn_over_all_of_ten_is_avoided() -> None:
    made = plan(["management"], [], ["10.0.0.0/8"], Plan())
    assert made.subnets["management"] == "172.24.0.0/24"


def test_a_host_without_free_addresses_is_told_so() -> None:
    everything = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]
    with pytest.raises(SandboxError, match=r"no private /24 is free .* zone 'management'"):
        plan(["management"], [], everything, Plan())


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        (Machine("node01", "container", ()), "sandbox_zones is empty"),
        (Machine("node01", "container", ("fabrik",)), "'fabrik', which lab_zones does not"),
    ],
)
def test_wrong_zones_are_named(machine: Machine, message: str) -> None:
    with pytest.raises(SandboxError, match=message):
        plan(ZONES, [machine], [], Plan())


def test_more_machines_than_addresses_is_refused() -> None:
    crowd = [Machine(f"n{i}", "container", ("management",)) for i in range(300)]
    with pytest.raises(SandboxError, match="no host number is left"):
        plan(ZONES, crowd, [], Plan())


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
    made = plan(ZONES, [], busy, Plan())
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
