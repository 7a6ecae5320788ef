"""The role hardware_tools: every tool answers where it is wanted, and a container is left alone."""

from __future__ import annotations

import pytest
from testinfra.host import Host

TOOLS = ("dmidecode --version", "ipmitool -V", "lspci --version", "smartctl --version")


@pytest.mark.on("edge01")
@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_answers(host: Host, tool: str) -> None:
    assert host.run(f"PATH=$PATH:/usr/sbin {tool}").rc == 0


@pytest.mark.on("edge01")
def test_lldpd_runs(host: Host) -> None:
    assert host.service("lldpd").is_running
    assert host.service("lldpd").is_enabled
    assert '"lldp"' in host.check_output("lldpcli -f json0 show neighbors")


@pytest.mark.on("edge01")
def test_no_mail_server_came_along(host: Host) -> None:
    for package in ("exim4-daemon-light", "postfix"):
        assert not host.package(package).is_installed


@pytest.mark.on("edge01")
def test_no_unit_failed(host: Host) -> None:
    failed = host.check_output("systemctl list-units --state=failed --plain --no-legend")
    assert not [line for line in failed.splitlines() if "smart" in line or "lldp" in line]


@pytest.mark.on("head01")
def test_a_container_is_left_alone(host: Host) -> None:
    assert not host.package("ipmitool").is_installed
    assert not host.package("dmidecode").is_installed
