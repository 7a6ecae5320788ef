"""The probes come to the same facts from a capture as on the machine itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from gpu_machines import GPU_MACHINES
from hardware_machines import MACHINES, Machine
from host_machines import HOST_MACHINES, SERVER

from ansible_collections.gpulab.core.plugins.module_utils.facts.gather import gather
from ansible_collections.gpulab.core.plugins.module_utils.hardware.runner import run_in_turn
from ansible_collections.gpulab.core.plugins.module_utils.hardware.sysfs import Tree
from ansible_collections.gpulab.core.plugins.module_utils.hardware.tools import (
    RunTool,
    ToolResult,
    run_tool,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep.captured import (
    CapturedTree,
    captured_tools,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep.fact import Hardware
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep.plan import Plan
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep.snapshot import GROUPS
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep.stream import Capture

from .conftest import LIMIT_S, Ask, missing_words

# A sweep asks nvidia-smi for what NVML's binding tells, and starts no container.
EVERY = {
    **MACHINES,
    **{
        name: machine
        for name, machine in GPU_MACHINES.items()
        if machine.binding is None and machine.containers is None
    },
    **HOST_MACHINES,
}

# Their reasons name the time limit or a path of the test.
_OWN_WORDS = {("hung-disk", "disks")}
# Interfaces of containers come and go on a machine that runs other tests.
_TRIES = 10


def whole(machine: Machine) -> Machine:
    """Return a fixture machine with the module files that its modules.dep names, as a real one."""
    modules = {
        f"{path.rpartition('/')[0]}/{line.partition(':')[0]}": ""
        for path, content in machine.files.items()
        if path.endswith("modules.dep")
        for line in str(content).splitlines()
    }
    return Machine({**machine.files, **modules}, machine.tools, machine.machine)


def run_live(machine: Machine) -> RunTool:
    """Answer for the machine's tools; one that is missing as `run_tool` says it."""

    def run(argv: Sequence[str]) -> ToolResult:
        answer = machine.run(argv)
        return ToolResult(answer.rc, "", missing_words(argv[0])) if answer.missing else answer

    return run


def sections(facts: dict[str, Any]) -> dict[str, Any]:
    """Return each section with why it is null."""
    probes = facts["probes"]
    return {name: (facts[name], probes[name]["reason"]) for name in probes}


class StillTree(Tree):
    """A tree at one time, in which none passes."""

    def __init__(self, root: Path, now: float) -> None:
        """Stop the clock."""
        super().__init__(str(root))
        self._now = now

    def now(self) -> float:
        return self._now

    def later(self, _seconds: float) -> Tree:
        return self


def facts_in(capture: Capture) -> dict[str, Any]:
    """Return the facts in what the script read."""
    return gather(
        CapturedTree(capture, Plan(), LIMIT_S),
        captured_tools(capture, LIMIT_S),
        capture.machine,
        run_all=run_in_turn,
    )


@pytest.mark.parametrize("name", EVERY)
def test_a_fixture_machine(name: str, ask: Ask, tmp_path: Path) -> None:
    machine = whole(EVERY[name])
    capture = ask(machine)
    captured = facts_in(capture)
    live = gather(
        StillTree(tmp_path / "root", capture.now), run_live(machine), machine.machine, LIMIT_S
    )
    ours, theirs = sections(captured), sections(live)
    for section, value in theirs.items():
        if (name, section) in _OWN_WORDS:
            assert ours[section][0] is value[0] is None
            assert "no answer within 1 s" in ours[section][1]
        else:
            assert ours[section] == value, section


def test_this_machine() -> None:
    """What stood still between a reading before and one after is the same in a sweep's."""
    before = sections(gather(Tree("/")))
    waiting = set(before)
    for _ in range(_TRIES):
        fact = Hardware()
        answer = run_tool(("sh", "-c", fact.command(become=False)))
        assert (answer.rc, answer.stderr) == (0, "")
        ours = sections(fact.process(answer.stdout.splitlines()))
        after = sections(gather(Tree("/")))
        still = {section for section in waiting if before[section] == after[section]}
        for section in still:
            assert ours[section] == after[section], section
        waiting, before = waiting - still, after
        if not waiting:
            return
    # Containers that come and go beside this test change the list of interfaces.
    assert waiting <= {"nics"}, "these change all the time here"


class RecordingTree(Tree):
    """A tree that notes what it is asked."""

    def __init__(self, root: str) -> None:
        """Begin with nothing."""
        super().__init__(root)
        self.asked: set[tuple[str, str]] = set()

    def data(self, path: str) -> bytes | None:
        self.asked.add(("contents", path))
        return super().data(path)

    def names(self, path: str) -> list[str]:
        self.asked.add(("listed", path))
        return super().names(path)

    def changed(self, path: str) -> float | None:
        self.asked.add(("known", path))
        return super().changed(path)

    def exists(self, path: str) -> bool:
        self.asked.add(("known", path))
        return super().exists(path)

    def link_name(self, path: str) -> str | None:
        self.asked.add(("known", path))
        return super().link_name(path)

    def real(self, path: str) -> str:
        self.asked.add(("known", path))
        return super().real(path)


def recorded(machine: Machine, root: Path) -> tuple[set[tuple[str, str]], set[tuple[str, ...]]]:
    """Return what the probes ask of a machine: of its files, and of its tools."""
    tree, tools = RecordingTree(str(machine.lay(root))), set()

    def run(argv: Sequence[str]) -> ToolResult:
        tools.add(tuple(argv))
        return machine.run(argv)

    gather(tree, run, machine.machine, pause_s=0, run_all=run_in_turn)
    return tree.asked, tools


# In one process nothing would end a probe that hangs.
@pytest.mark.parametrize("name", [name for name in EVERY if name != "hung-disk"])
def test_every_path_and_tool_that_the_probes_ask_for_is_listed(name: str, tmp_path: Path) -> None:
    plan = Plan()
    paths, tools = recorded(EVERY[name], tmp_path)
    missing = sorted(
        f"{path} ({kind})" for kind, path in paths if not getattr(plan.cover(path), kind)
    )
    assert missing == [], "add them to hardware/captured.py"
    listed = {tool.argv: tool for group in GROUPS for tool in group.tools}
    unlisted = [argv for argv in tools if argv not in listed and argv[:-1] not in listed]
    assert unlisted == [], "add them to hardware/captured.py"


def test_a_probe_that_asks_for_more_makes_its_section_unknown(ask: Ask) -> None:
    """A new probe without a line in the list is unknown in a sweep, not absent."""
    plan = Plan([group for group in GROUPS if group.name != "disks"])
    capture = ask(SERVER, plan)
    facts = gather(
        CapturedTree(capture, plan, LIMIT_S),
        captured_tools(capture, LIMIT_S),
        capture.machine,
        run_all=run_in_turn,
    )
    assert facts["disks"] is None
    assert "not in the list of what a sweep reads" in facts["probes"]["disks"]["reason"]
    # The two that read /sys/block, and no other; the server has no package manager.
    unknown = [name for name in facts["probes"] if facts[name] is None]
    assert unknown == ["disks", "smart", "gpu_software"]


def test_a_tool_that_hangs_makes_its_section_unknown(ask: Ask, tmp_path: Path) -> None:
    machine = MACHINES["two-a100"]
    # The fake is made by `ask`; the script then finds one that sleeps in its place.
    slow = f"printf '#!/bin/sh\\nexec sleep 60\\n' > {tmp_path}/bin/nvidia-smi\n"
    capture = ask(machine, prepare=slow)
    facts = gather(
        CapturedTree(capture, Plan(), LIMIT_S),
        captured_tools(capture, LIMIT_S),
        capture.machine,
        run_all=run_in_turn,
    )
    assert facts["nvidia"] is None
    assert facts["probes"]["nvidia"]["reason"] == "nvidia-smi: no answer within 1 s"
    assert facts["clock"]["source"] == "chrony"


def test_facts_are_plain_json(ask: Ask) -> None:
    plan = Plan()
    capture = ask(MACHINES["eight-h100"], plan)
    tree, tools = CapturedTree(capture, plan, LIMIT_S), captured_tools(capture, LIMIT_S)
    facts = gather(tree, tools, capture.machine, run_all=run_in_turn)
    assert json.loads(json.dumps(facts)) == facts
