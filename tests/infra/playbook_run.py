"""A run of ansible-playbook on a scenario's machines, as the fixtures of conftest.py give it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable


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
