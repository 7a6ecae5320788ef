"""A run of ansible-playbook on a scenario's nodes, as the fixtures of conftest.py give it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).parents[2]
_FAILED = re.compile(r"^(?:fatal|failed): \[([^] ]+)[^\n]*? => (?={)", re.M)
_RECAP = re.compile(r"^(\S+) +: ok=\d+ +changed=(\d+) ", re.M)
#: The strategy that users have: ansible.cfg's, or Ansible's own.
USERS = ""
#: Gives the same in a third of the time (tests/runs/test_mitogen.py).
MITOGEN = "gpulab.core.mitogen"


class Run(subprocess.CompletedProcess[str]):
    """A finished run: its exit status, and what Ansible said."""

    @property
    def said(self) -> str:
        """What it printed, on one line; Ansible folds long messages."""
        return " ".join(self.stdout.split())


#: ``converge(key=value)``: run the scenario's converge.yml again, with these variables.
Converge = Callable[..., Run]
#: ``play("playbooks/mirror.yml", key=value)``: run a playbook with these variables.
Play = Callable[..., Run]


def command(inventory: Path, playbook: str, *options: str, **variables: object) -> list[str]:
    """Compose a call of ansible-playbook, in ``PROJECT``."""
    return [
        str(Path(sys.executable).with_name("ansible-playbook")),
        f"--inventory={inventory}",
        f"--extra-vars={json.dumps(variables)}",
        *options,
        str(PROJECT / playbook),
    ]


def environment(strategy: str = USERS) -> dict[str, str]:
    """Give the environment of such a call, by this strategy of Ansible's.

    Mitogen takes an interpreter's path for words of a command line, so where the checkout's has a
    space, such a run goes as users' do.
    """
    if strategy == MITOGEN and " " in sys.executable:
        strategy = USERS
    return {
        **os.environ,
        **({"ANSIBLE_STRATEGY": strategy} if strategy else {}),
        "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
        # Molecule asks for colours, whose codes would stand in the middle of a message.
        "ANSIBLE_FORCE_COLOR": "false",
        "NO_COLOR": "1",
    }


def failures_in(stdout: str) -> dict[str, str]:
    """Read what a run printed with ``ANSIBLE_CALLBACK_RESULT_FORMAT=json``.

    Returns:
        Node to the messages of its failed tasks, of a loop those of its failed items.
    """
    messages: dict[str, list[str]] = {}
    for found in _FAILED.finditer(stdout):
        result, _ = json.JSONDecoder().raw_decode(stdout, found.end())
        messages.setdefault(found[1], []).append(str(result["msg"]))
    return {name: " ".join(said) for name, said in messages.items()}


def changes_in(stdout: str) -> dict[str, int]:
    """Read from the recap how many tasks changed something on each machine."""
    return {name: int(changed) for name, changed in _RECAP.findall(stdout)}
