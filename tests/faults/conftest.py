"""A small lab of its own, a head and two nodes, to break things in."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from ansible_collections.gpulab.core.plugins.module_utils.sandbox.containers import container_name
from ansible_collections.gpulab.core.plugins.module_utils.sandbox.engine import find_engine

ROOT = Path(__file__).resolve().parents[2]
#: Longer than any of these runs takes on a loaded machine; a run that hangs is a failure.
RUN_TIMEOUT_S = 600


@dataclass
class Run:
    """What a command left: its exit status and everything it printed."""

    status: int
    output: str

    def line_with(self, *words: str) -> str:
        """Give the first line that has all the words, or fail with the whole output."""
        for line in self.output.splitlines():
            if all(word in line for word in words):
                return line
        pytest.fail(f"no line with {words} in:\n{self.output}")


@dataclass
class Lab:
    """A running sandbox lab."""

    inventory: Path
    lab: str = field(default="", init=False)

    def playbook(
        self, name: str, *arguments: str, when: dict[str, Callable[[], None]] | None = None
    ) -> Run:
        """Run a playbook on the lab.

        Args:
            name: the playbook, from the project's root.
            arguments: more words for ansible-playbook.
            when: text → what to do, once, as soon as a line with that text is printed.
        """
        waiting = dict(when or {})
        process = subprocess.Popen(
            ["ansible-playbook", "-i", str(self.inventory), name, *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1", "PYTHONUNBUFFERED": "1"},
        )
        guard = threading.Timer(RUN_TIMEOUT_S, process.kill)
        guard.start()
        lines = []
        try:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line)
                for text in [text for text in waiting if text in line]:
                    waiting.pop(text)()
            status = process.wait()
        finally:
            guard.cancel()
            if process.poll() is None:
                process.kill()
        assert not waiting, f"never printed {list(waiting)}:\n{''.join(lines)}"
        return Run(status, "".join(lines))

    def engine(self, *arguments: str) -> str:
        """Call the container engine and return what it printed."""
        return find_engine().run(*arguments).stdout.decode()

    def shell(self, machine: str, script: str) -> str:
        """Run a script as root inside a machine, past SSH and Ansible."""
        return self.engine("exec", container_name(self.lab, machine), "sh", "-ec", script)

    def kill(self, machine: str) -> None:
        """Cut a machine's power."""
        self.engine("kill", container_name(self.lab, machine))

    def up(self) -> None:
        """Start what is not running."""
        done = self.playbook("playbooks/sandbox_up.yml")
        assert done.status == 0, done.output


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The lab, built through the stage base, removed afterwards whatever happens."""
    inventory = tmp_path_factory.mktemp("faulty lab")
    hosts = yaml.safe_load((ROOT / "inventory/sandbox/hosts.yml").read_text())
    del hosts["all"]["children"]["edge"]
    (inventory / "hosts.yml").write_text(yaml.safe_dump(hosts))
    shutil.copytree(ROOT / "inventory/sandbox/group_vars", inventory / "group_vars")
    made = Lab(inventory)
    try:
        started = made.playbook("playbooks/sandbox_up.yml")
        assert started.status == 0, started.output
        config = yaml.safe_load((inventory / "machines.yml").read_text())["all"]["vars"]
        made.lab = Path(config["ansible_ssh_common_args"].partition('"')[2]).parent.name
        built = made.playbook("site.yml", "--tags", "base")
        assert built.status == 0, built.output
        yield made
    finally:
        made.playbook("playbooks/sandbox_down.yml")
