"""A sweep of fifty nodes over real SSH: how long it takes, and what it says of ill ones."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import pytest

from .fleet import SIZE, Fleet, Swept

# What the documentation promises of fifty nodes on two cores that do nothing else.
PROMISED_S = 20
# The default time-out, which dead nodes cost once, however many they are.
DEAD_S = 5
# A node that is well answers in half of the time-out where its cores are its own.
SLACK = 2
# The nodes that are swept read themselves on the controller's two cores here: more of them at
# once only wait for each other, until one looks dead.
TOGETHER = "sweep_parallel=4"
# Two sweeps of the same nodes differ by this much, on a node that does other things too.
SCATTER_S = 3

WELL = "node*"
DEAD = ("silent", "hanging", "refusing")


def show(text: str) -> None:
    """Print a measured figure into the test's output."""
    sys.stdout.write(f"{text}\n")


def shared() -> float:
    """Return how many times as long as alone work takes here now: 1.0 when nobody else works.

    Another lane of the tests, or another job of the node, has a part of the two cores; the
    nodes that are swept are on the same cores. A loop on each core tells what is left of them.
    """
    burn = "import time\nwhile time.process_time() < 0.5: pass"
    began = time.monotonic()
    loops = [subprocess.Popen([sys.executable, "-c", burn]) for _ in range(2)]
    for loop in loops:
        loop.wait()
    # Two starts of Python are in it.
    return max(1.0, (time.monotonic() - began) / 0.6)


class Bound:
    """A limit in seconds that grows by what others took of the cores, before and after.

    Attributes:
        timeout_s: The time-out to sweep with: the default, unless the nodes that are swept have
            so little left of the cores that they would be called dead.
    """

    def __init__(self) -> None:
        """Measure before."""
        self._before = shared()
        self.timeout_s = round(DEAD_S * max(1.0, self._before / SLACK))

    def of(self, seconds: float) -> float:
        """Measure after; returns the limit."""
        factor = max(self._before, shared())
        show(f"others on the cores: everything takes {factor:.1f} times as long")
        return seconds * factor


@pytest.fixture(scope="module")
def swept(fleet: Fleet) -> Swept:
    """A sweep of the nodes that are well, in the time that is promised."""
    bound = Bound()
    done = fleet.sweep("--limit", WELL, "-e", f"sweep_timeout_s={bound.timeout_s} {TOGETHER}")
    show(f"{SIZE} machines: {done.seconds:.1f} s\n{done.output}")
    assert done.seconds < bound.of(PROMISED_S)
    return done


@pytest.fixture(scope="module")
def with_dead(fleet: Fleet) -> tuple[Swept, int]:
    """A sweep of the same nodes and the dead ones, in the same time; and its time-out."""
    bound = Bound()
    limit = ",".join((WELL, *DEAD))
    done = fleet.sweep("--limit", limit, "-e", f"sweep_timeout_s={bound.timeout_s} {TOGETHER}")
    show(f"{SIZE} machines and {len(DEAD)} dead: {done.seconds:.1f} s\n{done.output}")
    assert done.seconds < bound.of(PROMISED_S)
    return done, bound.timeout_s


def test_fifty_machines_pass_in_time(swept: Swept) -> None:
    assert swept.status == 0, swept.output
    assert f"{SIZE} of {SIZE} nodes answered" in swept.output
    assert f"\nPASS     lab fleet, {SIZE} nodes: {SIZE} pass\n" in swept.output


def test_dead_machines_hold_nobody_up(
    fleet: Fleet, swept: Swept, with_dead: tuple[Swept, int]
) -> None:
    done, timeout_s = with_dead
    assert done.status == 2
    assert f"{SIZE} of {SIZE + len(DEAD)} nodes answered" in done.output
    # Of the same load: the slower of two sweeps without, one before and one after.
    again = fleet.sweep("--limit", WELL, "-e", f"sweep_timeout_s={timeout_s} {TOGETHER}")
    assert done.seconds < max(swept.seconds, again.seconds) + timeout_s + SCATTER_S


@pytest.mark.parametrize(
    ("name", "verdict", "reason"),
    [
        ("silent", "fail", "no connection within {} s"),
        ("refusing", "fail", "Connection refused"),
        ("hanging", "unknown", "connected, but no answer within {} s"),
    ],
)
def test_a_dead_machine_is_named_with_the_reason(
    with_dead: tuple[Swept, int], name: str, verdict: str, reason: str
) -> None:
    done, timeout_s = with_dead
    node = done.node(name)
    assert node["verdict"] == verdict
    assert reason.format(timeout_s) in node["reason"]


def facts_without_times(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts without what differs between two readings: how long each took."""
    probes = {name: (probe["status"], probe["reason"]) for name, probe in facts["probes"].items()}
    return {**json.loads(json.dumps(facts)), "probes": probes}


def test_the_facts_are_those_of_hardware_info(fleet: Fleet, swept: Swept) -> None:
    ours = facts_without_times(swept.record("node01")["hardware"])
    assert ours == facts_without_times(fleet.hardware_info("node01"))
    assert ours["cpu"]["cores"] >= 1


def test_a_machine_without_python_is_unknown_and_says_so(fleet: Fleet) -> None:
    done = fleet.sweep("--limit", "pythonless")
    assert done.status == 2
    record = done.record("pythonless")
    (check,) = [check for check in record["checks"] if check["id"] == "sweep.answer"]
    assert (check["status"], record["hardware"]) == ("unknown", None)
    assert "python3" in check["evidence"]
    assert "not found" in check["evidence"]
    assert check["action"].startswith("no usable Python on pythonless: install python3")


def test_nothing_is_left_on_a_machine(fleet: Fleet) -> None:
    listing = "find / -xdev -newer /marker -type f ! -path '/proc/*' ! -path '/sys/*' | sort"
    fleet.shell("node02", "touch /marker; sleep 1.1")
    assert fleet.sweep("--limit", "node02").status == 0
    written = fleet.shell("node02", listing).split()
    # What sshd, PAM and sudo keep of any login.
    assert [path for path in written if not path.startswith(("/var/log/", "/run/"))] == []


def test_an_unknown_host_key_is_refused(fleet: Fleet) -> None:
    done = fleet.sweep("--limit", "stranger")
    assert done.status == 2
    assert "Host key" in done.node("stranger")["reason"]
    assert "fingerprint" in done.output


def test_host_keys_are_checked_whatever_the_inventory_says(fleet: Fleet) -> None:
    loose = fleet.inventory.with_name("loose.yml")
    loose.write_text(
        fleet.inventory.read_text().replace(
            "/ssh_config'", "/ssh_config' -o StrictHostKeyChecking=no"
        )
    )
    done = fleet.sweep("-i", str(loose), "--limit", "stranger")
    assert done.status == 2
    assert "Host key" in done.node("stranger")["reason"]


def test_what_only_root_may_read_is_not_passed_over(fleet: Fleet) -> None:
    done = fleet.sweep("--limit", "plain")
    assert done.status == 0
    assert done.node("plain")["verdict"] == "warn"
    (check,) = [check for check in done.record("plain")["checks"] if check["id"] == "sweep.root"]
    assert (check["status"], check["severity"]) == ("unknown", "warn")
    assert "--ask-become-pass" in check["action"]


def test_a_limit_that_leaves_nothing_is_refused(fleet: Fleet) -> None:
    done = fleet.sweep("--limit", "nobody")
    assert done.status == 1
    assert not done.folder.exists()


def test_a_machine_behind_another_is_reached(fleet: Fleet) -> None:
    behind = fleet.inventory.with_name("behind.yml")
    behind.write_text(
        fleet.inventory.read_text().replace("/ssh_config'", "/ssh_config' -o ProxyJump=node02")
    )
    done = fleet.sweep("-i", str(behind), "--limit", "node01")
    assert done.status == 0, done.output


def test_tools_that_hang_on_many_machines_cost_the_time_of_one(fleet: Fleet) -> None:
    """As a BMC does that is asked for its sensors: each node takes its tool's whole limit.

    So many nodes as can be read side by side on the controller's own cores.
    """
    names = [f"node0{number}" for number in range(1, 10)]
    fake = "/usr/local/bin/lldpcli"
    put = f"printf '#!/bin/sh\\nexec sleep 60\\n' > {fake}; chmod 755 {fake}"
    timeout_s = 2 * Bound().timeout_s
    words = ("--limit", "node0*", "-e", f"sweep_timeout_s={timeout_s}")
    before = fleet.sweep(*words)
    try:
        for name in names:
            fleet.shell(name, put)
        done = fleet.sweep(*words)
    finally:
        for name in names:
            fleet.shell(name, f"rm -f {fake}")
    show(
        f"{len(names)} machines: {before.seconds:.1f} s; a tool hangs on each: {done.seconds:.1f} s"
    )
    assert done.status == 0, done.output
    assert f"{len(names)} of {len(names)} nodes answered" in done.output
    for name in names:
        probe = done.record(name)["hardware"]["probes"]["lldp"]
        assert (probe["status"], probe["reason"][:16]) == ("unknown", "no answer within")
    # The limit is three fifths of the time-out.
    assert done.seconds < max(before.seconds, fleet.sweep(*words).seconds) + timeout_s
