"""The real firewalld and the real ufw (Debian's) on nodes shaped as Rocky Linux and Ubuntu."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from firewall.nodes import CONFIRM_S, LITTLE_S, PATIENCE_S, Node, Watch
from playbook_run import Converge

from ansible_collections.gpulab.core.plugins.plugin_utils.firewall import takeover

LOCKOUT = (
    "table inet gpulab {}\ndelete table inet gpulab\ntable inet gpulab {\n"
    "  chain input { type filter hook input priority filter; policy drop; }\n}\n"
)
#: node → its firewall, how it is made as it was, and what lists its rules.
FIREWALLS = {
    "rocky9": ("firewalld", "systemctl start firewalld", "nft list table inet firewalld"),
    "ubuntu2404": ("ufw", "systemctl restart ufw", "iptables --list-rules ufw-user-input"),
}


@pytest.fixture(params=FIREWALLS)
def theirs(request: pytest.FixtureRequest, node: Callable[[str], Node]) -> Node:
    """A node on which the other firewall rules, and ours is gone."""
    machine = node(request.param)
    name, start, _ = FIREWALLS[request.param]
    machine.shell(
        f"systemctl unmask {name}.service; rm -f /etc/gpulab/firewall.nft; "
        f"nft delete table inet gpulab; {start}"
    )
    # firewalld is "active" a moment before its rules are there.
    machine.wait_until(lambda: rules(machine), PATIENCE_S)
    return machine


def rules(machine: Node) -> str:
    """List the other firewall's rules; "" when it is not there."""
    return machine.shell(f"{FIREWALLS[machine.name][2]} 2> /dev/null || true")


def unit(machine: Node) -> str:
    """Ask systemd whether the other firewall's unit may start."""
    name = FIREWALLS[machine.name][0]
    return machine.shell(f"systemctl is-enabled {name}.service || true").strip()


def test_the_scenario_has_taken_it_over(node: Callable[[str], Node]) -> None:
    for name in FIREWALLS:
        machine = node(name)
        assert unit(machine) == "masked"
        assert "comment" in machine.table()
        assert machine.shell("systemctl is-enabled gpulab-firewall").strip() == "enabled"


def test_it_is_refused_by_default(converge: Converge, theirs: Node) -> None:
    before = rules(theirs)
    run = converge(f"--limit={theirs.name}", firewall_existing="refuse")
    assert run.returncode != 0
    assert f"{FIREWALLS[theirs.name][0]} is active on {theirs.name}" in run.said
    assert "set firewall_existing: take_over" in run.said
    assert (rules(theirs), unit(theirs), theirs.table()) == (before, "enabled", "")


def test_a_rollback_brings_it_back(converge: Converge, theirs: Node) -> None:
    before = rules(theirs)
    with Watch(theirs) as watch:
        run = converge(f"--limit={theirs.name}", __firewall_ruleset=LOCKOUT)
        theirs.wait_until(theirs.greets, LITTLE_S)
    assert run.returncode != 0
    assert "the former state is back" in run.said
    assert watch.outage_s < CONFIRM_S + LITTLE_S
    assert (unit(theirs), theirs.table()) == ("enabled", "")
    theirs.wait_until(lambda: rules(theirs) == before, PATIENCE_S)


def test_power_that_fails_in_the_moment_of_the_confirmation_brings_it_back(theirs: Node) -> None:
    """After the lasting mask was written and before the change has won: a state made by hand."""
    name = FIREWALLS[theirs.name][0]
    mask = f"/etc/systemd/system/{name}.service"
    record = json.dumps(
        {
            "schema": 1,
            "id": "cafe",
            "subject": "firewall",
            "timeout_s": 30,
            "armed_at": 1.0,
            "applied_at": 2.0,
            "made": [],
            "apply": [],
            "undo": [],
            "boot": takeover.commands({name: True})["boot"],
            "entries": [{"path": mask, "wanted": "link", "link": "/dev/null", "persist": True}],
        }
    )
    theirs.shell(f"ln -sfn /dev/null {mask}; mkdir -p /var/lib/gpulab/commit/firewall")
    theirs.shell(f"echo '{record}' > /var/lib/gpulab/commit/firewall/change.json")
    theirs.engine.run("kill", theirs.container)
    theirs.engine.run("start", theirs.container)
    theirs.wait_until(theirs.greets, CONFIRM_S)
    theirs.wait_until(lambda: rules(theirs), PATIENCE_S)
    assert unit(theirs) == "enabled"
    assert "rebooted" in theirs.shell("gpulab-rollback status")


def test_it_is_taken_over(converge: Converge, theirs: Node) -> None:
    with Watch(theirs) as watch:
        run = converge(f"--limit={theirs.name}")
    assert run.returncode == 0, run.said
    assert unit(theirs) == "masked"
    assert "comment" in theirs.table()
    if theirs.name == "rocky9":
        assert rules(theirs) == ""
    else:
        # What ufw leaves when it is stopped: chains that do nothing, below policies that accept.
        left = theirs.shell("iptables --list-rules").splitlines()
        assert "-P INPUT ACCEPT" in left
        assert [line for line in left if " -j " in line and " -j ufw-" not in line] == []
    assert watch.outage_s < LITTLE_S
    again = converge(f"--limit={theirs.name}")
    assert "changed=0" in again.said.partition("RECAP")[2]
