"""Run the few command-line tools whose facts no file has."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable

from ..process import Group, run

# Ansible's remote user may have no sbin on its path, and chronyc or nvidia-smi may live in one.
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class ToolResult:
    """What a tool said: exit status (127 if there is no such tool), output and errors."""

    rc: int
    stdout: str
    stderr: str = ""

    @property
    def missing(self) -> bool:
        """Return whether the tool is not installed."""
        return self.rc == NOT_FOUND

    @property
    def complaint(self) -> str:
        """Return the last line that the tool said, errors first."""
        lines = (self.stderr.strip() or self.stdout.strip()).splitlines()
        return lines[-1].strip() if lines else f"exit status {self.rc}"


# What a shell answers for a command that does not exist.
NOT_FOUND = 127

RunTool = Callable[[Sequence[str]], ToolResult]


def run_tool(argv: Sequence[str]) -> ToolResult:
    """Run a tool in the C locale, with nothing on its input. The caller's deadline bounds it."""
    environment = {**os.environ, "LC_ALL": "C", "PATH": SEARCH_PATH}
    done = run(argv, environment, float("inf"), group=Group.CALLERS, keep_all=True)
    if done.returncode is None:
        return ToolResult(NOT_FOUND, "", done.start_error.partition(": ")[2])
    return ToolResult(done.returncode, done.stdout, done.stderr_tail)
