"""A small lab of its own, a head and two nodes, and ways to run and to break things in it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from ansible_collections.gpulab.core.plugins.module_utils.sandbox.containers import container_name
from ansible_collections.gpulab.core.plugins.module_utils.sandbox.engine import find_engine

ROOT = Path(__file__).resolve().parents[2]
#: Longer than any of these runs takes on a loaded node; a run that hangs is a failure.
RUN_TIMEOUT_S = 600
#: One role of the stage base, after preflight: as much as a test of a run needs to break.
SSH = ("site.yml", "--tags", "ssh")
TIME = ("site.yml", "--tags", "time")
#: The role base, which alone has no tag of its own.
BASE = ("site.yml", "--tags", "base", "--skip-tags", "ssh,time,hardware_tools")


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
    env: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The lab's id on this host: the prefix of its containers and networks."""
        config = yaml.safe_load((self.inventory / "machines.yml").read_text())["all"]["vars"]
        return Path(config["ansible_ssh_common_args"].partition('"')[2]).parent.name

    def playbook(
        self,
        name: str,
        *arguments: str,
        when: dict[str, Callable[[], None]] | None = None,
        interrupt: tuple[str, Callable[[str], bool]] | None = None,
    ) -> Run:
        """Run a playbook on the lab.

        Args:
            name: the playbook, from the project's root.
            arguments: more words for ansible-playbook.
            when: text → what to do, once, as soon as a line with that text is printed.
            interrupt: after a line with this text is printed, press Ctrl-C as soon as this is true
                of the line. Not after a time, in which a faster node is done.
        """
        waiting: dict[str, Callable[[str], None]] = {
            text: lambda _, act=act: act() for text, act in (when or {}).items()
        }
        if interrupt:
            text, is_time = interrupt
            waiting[text] = lambda line: press_ctrl_c(process, lambda: is_time(line))
        process = subprocess.Popen(
            ["ansible-playbook", "-i", str(self.inventory), name, *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={
                **os.environ,
                "ANSIBLE_NOCOLOR": "1",
                "PYTHONUNBUFFERED": "1",
                # The user's own reports/ stay the user's.
                "GPULAB_REPORTS_DIR": str(self.inventory.parent / "reports"),
                **self.env,
            },
            # Like a terminal's foreground job: Ctrl-C goes to the whole group.
            start_new_session=True,
            # A background job, as CI's tests may be, inherits that Ctrl-C is ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        guard = threading.Timer(RUN_TIMEOUT_S, process.kill)
        guard.start()
        lines = []
        try:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line)
                for text in [text for text in waiting if text in line]:
                    waiting.pop(text)(line)
            status = process.wait()
        finally:
            guard.cancel()
            if process.poll() is None:
                process.kill()
        assert not waiting, f"never printed {list(waiting)}:\n{''.join(lines)}"
        return Run(status, "".join(lines))

    def engine(self, *arguments: str) -> str:
        """Call the container engine and return what it printed."""
        return find_engine().run(*arguments).stdout

    def shell(self, machine: str, script: str) -> str:
        """Run a script as root inside a node, past SSH and Ansible."""
        return self.engine("exec", container_name(self.name, machine), "sh", "-ec", script)

    def kill(self, machine: str) -> None:
        """Cut a node's power."""
        self.engine("kill", container_name(self.name, machine))

    def up(self) -> None:
        """Start what is not running."""
        done = self.playbook("playbooks/sandbox_up.yml")
        assert done.status == 0, done.output


def recap(output: str, host: str) -> dict[str, int]:
    """Read a host's line of Ansible's own recap."""
    line = rf"{host} +: ok=(\d+) +changed=(\d+) +unreachable=(\d+) +failed=(\d+)"
    match = re.search(line, output)
    assert match, f"no recap of {host} in:\n{output}"
    names = ("ok", "changed", "unreachable", "failed")
    return dict(zip(names, map(int, match.groups()), strict=True))


def press_ctrl_c(process: subprocess.Popen[str], is_time: Callable[[], bool]) -> None:
    """Interrupt a process and all of its children, as a terminal does, unless it ends before."""
    while process.poll() is None:
        if is_time():
            os.killpg(process.pid, signal.SIGINT)
            return
        time.sleep(0.02)


def declare(folder: Path) -> Lab:
    """Declare a lab of a head and two nodes in a folder, without starting it."""
    hosts = yaml.safe_load((ROOT / "inventory/sandbox/hosts.yml").read_text())
    del hosts["all"]["children"]["edge"]
    (folder / "hosts.yml").write_text(yaml.safe_dump(hosts))
    shutil.copytree(ROOT / "inventory/sandbox/group_vars", folder / "group_vars")
    return Lab(folder)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The lab, built through the stage base, removed afterwards whatever happens."""
    made = declare(tmp_path_factory.mktemp("faulty lab"))
    try:
        made.up()
        built = made.playbook("site.yml", "--tags", "base")
        assert built.status == 0, built.output
        yield made
    finally:
        made.playbook("playbooks/sandbox_down.yml")
