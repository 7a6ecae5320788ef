"""A run with the callback gpulab.core.engine leaves what one without leaves, and forks less."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.ansible

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[2]
INVENTORY = f"""
[all:vars]
ansible_connection=local
ansible_python_interpreter={sys.executable}

[all]
one
two
three
four
"""
# What differs from run to run.
_VOLATILE = {"start", "end", "delta", "atime", "exception"}


def run(folder: Path, *callbacks: str) -> tuple[int, list[list[Any]], str]:
    """Run the playbook; return its exit status, each result, and what was printed."""
    folder.mkdir()
    (folder / "inventory.ini").write_text(INVENTORY)
    playbook = str(HERE / "plays/all.yml")
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", "inventory.ini", playbook],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / "python_modules"),
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback"),
            "ANSIBLE_CALLBACKS_ENABLED": ",".join(["recorder", *callbacks]),
            "ANSIBLE_INJECT_FACT_VARS": "false",
            "RECORDED_IN": str(folder / "results"),
        },
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    lines = (folder / "results").read_text().splitlines()
    return done.returncode, [json.loads(line) for line in lines], done.stdout + done.stderr


def alike(value: object) -> object:
    """Leave out what differs from run to run."""
    if isinstance(value, dict):
        return {key: alike(held) for key, held in value.items() if key not in _VOLATILE}
    if isinstance(value, list):
        return [alike(held) for held in value]
    return re.sub(r"\d{3,}", "N", value) if isinstance(value, str) else value


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, list[list[Any]], str]]:
    folder = tmp_path_factory.mktemp("inline")
    return [run(folder / "stock"), run(folder / "engine", "gpulab.core.engine")]


def test_every_result_is_the_same(runs: list[tuple[int, list[list[Any]], str]]) -> None:
    (stock_status, stock, said), (status, ours, _) = runs
    assert len(stock) > 100, said
    assert status == stock_status == 2
    key = str
    assert sorted(map(alike, ours), key=key) == sorted(map(alike, stock), key=key)


def test_the_order_of_tasks_is_the_same(runs: list[tuple[int, list[list[Any]], str]]) -> None:
    orders = [list(dict.fromkeys(result[0] for result in results)) for _, results, _ in runs]
    assert orders[0] == orders[1]


def test_what_is_printed_is_the_same(runs: list[tuple[int, list[list[Any]], str]]) -> None:
    # Of one task the hosts come in any order, also in a list with commas.
    printed = [
        sorted(sorted(str(alike(line)).replace(",", " ").split()) for line in said.splitlines())
        for _, _, said in runs
    ]
    assert printed[0] == printed[1]


def parents(results: list[list[Any]]) -> set[str]:
    """The processes that evaluated the template which tells."""
    shown = [held for name, _, how, held in results if name.startswith("Use our") and how == "ok"]
    return {held["msg"].split()[-1] for held in shown}


def test_controller_tasks_are_not_forked(runs: list[tuple[int, list[list[Any]], str]]) -> None:
    stock, ours = (parents(results) for _, results, _ in runs)
    assert len(stock) == 2, "a fork for each host"
    assert len(ours) == 1, "Ansible's own process"


@pytest.mark.parametrize("changed", ["WorkerProcess.__init__", "TaskExecutor.__init__"])
def test_an_inside_that_is_not_known_is_left_alone(changed: str) -> None:
    # In a process of its own: what is installed stays installed.
    script = f"""
from ansible.executor import task_executor
from ansible.executor.process import worker
from ansible.plugins import strategy
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
TaskExecutor, WorkerProcess = task_executor.TaskExecutor, worker.WorkerProcess
def changed(self, something_new): ...
{changed} = changed
_AnsibleCollectionFinder(paths=[{str(PROJECT / "python_modules")!r}])._install()
from ansible_collections.gpulab.core.plugins.plugin_utils.engine import inline
assert not inline.install()
assert strategy.WorkerProcess is WorkerProcess
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
