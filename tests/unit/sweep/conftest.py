"""Fixture machines, asked by the script as a node is: files under a root, and fake tools."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gpu_machines import GPU_MACHINES
from hardware_machines import MACHINES, FactsOf, Machine

from ansible_collections.gpulab.core.plugins.module_utils.facts.gather import gather
from ansible_collections.gpulab.core.plugins.module_utils.hardware.nic_counters import PAUSE_S
from ansible_collections.gpulab.core.plugins.module_utils.hardware.sysfs import Tree
from ansible_collections.gpulab.core.plugins.module_utils.hardware.tools import (
    NOT_FOUND,
    ToolResult,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep import script, stream
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep.plan import Plan

MARK = "gpulabTESTMARK"
# Far above what a fixture's files need, and short enough to wait for the ones that hang.
LIMIT_S = 1.0
# What the script itself runs.
_BASE = (
    *(
        "base64",
        "cat",
        "date",
        "find",
        "grep",
        "gzip",
        "head",
        "id",
        "sed",
        "timeout",
        "tr",
    ),
)

Ask = Callable[..., stream.Capture]

# Far above what a fixture's files need.
_FACTS_S = 2.0


@pytest.fixture(scope="session")
def facts_of(tmp_path_factory: pytest.TempPathFactory) -> FactsOf:
    """Return a function from a fixture machine's name to its facts."""

    def gathered(name: str) -> dict[str, Any]:
        machine = {**MACHINES, **GPU_MACHINES}[name]
        tree = Tree(str(machine.lay(tmp_path_factory.mktemp(name))))
        return gather(tree, machine.run, machine.machine, _FACTS_S)

    return gathered


def missing_words(name: str) -> str:
    """Return what `run_tool` says of a tool that is not installed."""
    return f"[Errno 2] No such file or directory: {name!r}"


def _case(pattern: str, answer: ToolResult) -> str:
    out, err = shlex.quote(answer.stdout), shlex.quote(answer.stderr)
    return f"{pattern}) printf %s {out}; printf %s {err} >&2; exit {answer.rc};;\n"


def lay_tools(machine: Machine, folder: Path) -> str:
    """Make a folder of the machine's tools, and of nothing else; returns the search path."""
    folder.mkdir()
    for name in _BASE:
        found = shutil.which(name)
        assert found, name
        (folder / name).symlink_to(found)
    # The counters of a fixture stand still between their two readings.
    sleep = folder / "sleep"
    sleep.write_text(f'#!/bin/sh\n[ "$*" = {PAUSE_S:g} ] || exec {shutil.which("sleep")} "$@"\n')
    sleep.chmod(0o755)
    answers = {**machine.tools, "uname": ToolResult(0, machine.machine)}
    for name in {line.split()[0] for line in answers}:
        # By its whole line, else by its name, as `Machine.run` answers.
        cases = [
            _case(shlex.quote(words) if words else "*", answers[line])
            for line in sorted(answers, reverse=True)
            for tool, _, words in [line.partition(" ")]
            if tool == name
        ]
        cases.append(_case("*", ToolResult(NOT_FOUND, "", missing_words(name))))
        fake = folder / name
        fake.write_text(f"#!/bin/sh\ncase $* in\n{''.join(cases)}esac\n")
        fake.chmod(0o755)
    return str(folder)


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Return a function that runs the script on a fixture machine and takes the answer apart."""

    def asked(
        machine: Machine, plan: Plan | None = None, prepare: str = "", shell: str = "/bin/sh"
    ) -> stream.Capture:
        plan = plan or Plan()
        root = machine.lay(tmp_path / "root")
        root.mkdir(exist_ok=True)
        tools = lay_tools(machine, tmp_path / "bin")
        text = script.build(plan, MARK, LIMIT_S, str(root), tools)
        done = subprocess.run(
            [shell, "-s"],
            input=prepare + text,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "PATH": tools},
        )
        assert done.stderr == ""
        return stream.parse(stream.unpack(done.stdout.splitlines()), MARK, plan)

    return asked
