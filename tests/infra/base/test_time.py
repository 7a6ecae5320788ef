"""The role time, seen by chronyc: who follows whom, and that no container turns the clock."""

from __future__ import annotations

import csv
from typing import Any

import pytest
from playbook_run import Play
from testinfra.host import Host

FOLLOWERS = ("node01", "edge01")


def sources(host: Host) -> list[list[str]]:
    return list(csv.reader(host.check_output("chronyc -n -c sources").splitlines()))


def addresses(declared: dict[str, Any], name: str) -> set[str]:
    return {interface["address"] for interface in declared[name]["node_interfaces"].values()}


@pytest.mark.on(*FOLLOWERS)
def test_a_follower_is_synchronised_to_the_head(host: Host, declared: dict[str, Any]) -> None:
    chosen = [row for row in sources(host) if row[:2] == ["^", "*"]]
    assert len(chosen) == 1
    assert chosen[0][2] in addresses(declared, "head01")


@pytest.mark.on("edge01")
def test_the_edge_device_asks_in_its_own_zone(host: Host, declared: dict[str, Any]) -> None:
    zone = {
        interface["address"]
        for interface in declared["head01"]["node_interfaces"].values()
        if interface["zone"] == "edge"
    }
    assert {row[2] for row in sources(host)} == zone


@pytest.mark.on("head01")
def test_the_head_answers_both_zones(host: Host, declared: dict[str, Any]) -> None:
    asked = {row[0] for row in csv.reader(host.check_output("chronyc -n -c clients").splitlines())}
    for follower in FOLLOWERS:
        assert asked & addresses(declared, follower)


def test_chronyd_can_not_set_the_clock(host: Host) -> None:
    arguments = host.check_output("ps -o args= -C chronyd").splitlines()[0].split()
    assert "-x" in arguments
    pid = host.check_output("systemctl show --value --property MainPID chrony")
    status = host.file(f"/proc/{pid}/status").content_string
    held = int(next(row for row in status.splitlines() if row.startswith("CapBnd")).split()[1], 16)
    # CAP_SYS_TIME is bit 25 (linux/capability.h).
    assert not held >> 25 & 1


def test_nothing_else_keeps_time(host: Host) -> None:
    for unit in ("systemd-timesyncd", "ntp"):
        state = host.run(f"systemctl is-active {unit}").stdout.strip()
        assert state in ("inactive", "failed"), unit


@pytest.mark.on("node01")
def test_a_competitor_that_was_installed_stays_off(host: Host) -> None:
    assert host.run("systemctl is-enabled ntp").stdout.strip() == "masked"


def test_starts_at_boot(host: Host) -> None:
    assert host.service("chrony").is_enabled
    assert host.service("chrony").is_running


@pytest.mark.on("node01")
def test_a_node_without_its_head_is_not_synchronised(
    host: Host,
    apply: Play,
) -> None:
    config = host.file("/etc/chrony/chrony.conf").content_string
    try:
        # 192.0.2.1 is for documentation (RFC 5737): nobody answers there.
        run = apply(
            "time",
            time_servers=["head01"],
            __time_server_addresses=["192.0.2.1"],
            time_sync_timeout_s=3,
        )
        assert run.returncode != 0
        assert "Not synchronised within 3 s to 192.0.2.1" in " ".join(run.stdout.split())
    finally:
        back = apply("time")
    assert back.returncode == 0, back.stdout
    assert host.file("/etc/chrony/chrony.conf").content_string == config
