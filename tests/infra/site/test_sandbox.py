"""The sandbox cannot reach its host, and is cut into zones."""

from __future__ import annotations

from typing import Any

import pytest
from testinfra.host import Host


@pytest.mark.parametrize(
    "attempt",
    [
        "date --set 2020-01-01",
        "sh -c 'echo 1 > /proc/sys/vm/swappiness'",
        "sh -c 'echo 1 > /proc/sys/kernel/sysrq'",
        "sh -c 'echo 1 > /sys/kernel/mm/ksm/run'",
    ],
)
def test_the_host_is_out_of_reach(host: Host, attempt: str) -> None:
    assert host.run(attempt).failed


def test_the_hosts_emergency_keys_are_out_of_reach(host: Host) -> None:
    # Only looked at: pressing one would try it on the host.
    assert host.run("test -w /proc/sysrq-trigger").failed


def test_no_capability_that_reaches_the_host(host: Host) -> None:
    # Bits of linux/capability.h: SYS_MODULE 16, SYS_RAWIO 17, SYS_BOOT 22, SYS_TIME 25.
    status = host.file("/proc/1/status").content_string
    bounding = next(line for line in status.splitlines() if line.startswith("CapBnd"))
    held = int(bounding.split()[1], 16)
    assert [bit for bit in (16, 17, 22, 25) if held >> bit & 1] == []


def test_systemd_runs_whole(host: Host) -> None:
    assert host.check_output("systemctl is-system-running") == "running"


def test_machines_of_a_zone_reach_each_other_by_ipv6(host: Host, declared: dict[str, Any]) -> None:
    own = declared[host.backend.get_hostname()]["node_interfaces"]
    shown = host.check_output("ip -6 -oneline address show scope global").splitlines()
    assert {tuple(line.split()[1:4:2]) for line in shown} == {
        (name, f"{interface['address6']}/64") for name, interface in own.items()
    }
    for interface in own.values():
        others = [
            other["address6"]
            for machine in declared.values()
            for other in machine["node_interfaces"].values()
            if other["zone"] == interface["zone"]
        ]
        assert len(others) > 1
        for address in others:
            host.check_output(f"ping -6 -c 1 -W 5 {address}")
