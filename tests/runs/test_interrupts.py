"""Ctrl-C in the middle: the next run completes what was begun, and removal leaves nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.sandbox.engine import find_engine

from .conftest import TIME, Lab, declare, recap


@pytest.fixture
def unstarted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab that is declared and not started, removed afterwards whatever happens."""
    made = declare(tmp_path_factory.mktemp("interrupted lab"))
    yield made
    made.playbook("playbooks/sandbox_down.yml")


def objects_of(lab: str) -> list[str]:
    """List the engine's containers and networks of a lab."""
    engine = find_engine()
    label = f"label=gpulab.lab={lab}"
    containers = engine.run("ps", "--all", "--filter", label, "--format", "{{.Names}}")
    networks = engine.run("network", "ls", "--filter", label, "--format", "{{.Name}}")
    return (containers.stdout + networks.stdout).split()


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(1, id="among the networks"),
        pytest.param(4, id="before the machines"),
        pytest.param(6, id="among the machines"),
    ],
)
def test_an_interrupted_start_is_completed_and_removed_whole(unstarted: Lab, made: int) -> None:
    start = "playbooks/sandbox_up.yml"

    def are_made(task: str) -> bool:
        of = re.search(r"machines of (\S+)\]", task)
        assert of, task
        return len(objects_of(of[1])) >= made

    interrupted = unstarted.playbook(start, interrupt=("TASK [Start the networks", are_made))
    assert interrupted.status != 0
    unstarted.up()
    assert recap(unstarted.playbook(start).output, "localhost")["changed"] == 0
    answered = unstarted.playbook("playbooks/preflight.yml")
    assert answered.status == 0, answered.output

    name = unstarted.name
    assert len(objects_of(name)) == 7, "three machines and four networks"
    assert unstarted.playbook("playbooks/sandbox_down.yml").status == 0
    assert objects_of(name) == []
    assert not (unstarted.inventory / "machines.yml").exists()
    again = unstarted.playbook("playbooks/sandbox_down.yml")
    assert recap(again.output, "localhost")["changed"] == 0


def test_an_interrupted_build_is_completed(lab: Lab) -> None:
    lab.shell("node01", "apt-get remove -y -q chrony >/dev/null 2>&1")

    def dpkg_runs(_: str) -> bool:
        return "dpkg" in lab.shell("node01", "cat /proc/[0-9]*/comm 2>/dev/null || true").split()

    interrupted = lab.playbook(*TIME, interrupt=("TASK [time : Install chrony", dpkg_runs))
    assert interrupted.status != 0
    # What dpkg was stopped in the middle of ends first: the lock is waited for.
    completed = lab.playbook(*TIME)
    assert completed.status == 0, completed.output
    assert lab.shell("node01", "dpkg-query -W -f '${Status}' chrony") == "install ok installed"
    last = lab.playbook(*TIME)
    assert [recap(last.output, host)["changed"] for host in ("head01", "node01")] == [0, 0]
