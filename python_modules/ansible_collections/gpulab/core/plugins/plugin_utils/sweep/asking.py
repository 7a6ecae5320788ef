"""Ask the nodes in a process of its own.

pyinfra stands on gevent, which changes the process that it is loaded into; so it must not be loaded
into one of Ansible's. What is asked goes in on standard input, for it may hold passwords.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .answer import Answer

# A connection, and again an answer. A node that is well answers in less than two seconds.
TIMEOUT_S = 5.0
# Enough that dead nodes do not keep the others waiting, and few enough that two cores which do the
# cryptography do not make a node look slow.
PARALLEL = 16

_MOST_TIMEOUT_S = 600
_MOST_PARALLEL = 1000
_PROGRAM = "ansible_collections.gpulab.core.plugins.plugin_utils.sweep"
# The folder that holds `ansible_collections`.
_MODULES = Path(__file__).resolve().parents[6]


class AskingError(ValueError):
    """The nodes could not be asked at all; the text says why."""


def ask(
    targets: Sequence[Mapping[str, Any]], timeout_s: float, parallel: int
) -> Iterator[tuple[int, Answer]]:
    """Ask the nodes and give each one's number and answer, as they come.

    Args:
        targets: As `targets.describe` returns them, with ``ssh``.
        timeout_s: Seconds for a connection, and again for the answer.
        parallel: How many are asked at once.

    Raises:
        AskingError: An argument makes no sense, or the process failed.
    """
    if not 0 < timeout_s <= _MOST_TIMEOUT_S:
        raise AskingError(f"timeout_s is {timeout_s:g}: must be above 0 and at most 600 seconds")
    if not 1 <= parallel <= _MOST_PARALLEL:
        raise AskingError(f"parallel is {parallel}: must be between 1 and {_MOST_PARALLEL}")
    return _answers({"targets": targets, "timeout_s": timeout_s, "parallel": parallel})


def _answers(wish: Mapping[str, Any]) -> Iterator[tuple[int, Answer]]:
    path = os.pathsep.join([str(_MODULES), *filter(None, [os.environ.get("PYTHONPATH")])])
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(
            [sys.executable, "-m", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env={**os.environ, "PYTHONPATH": path},
        ) as process,
    ):
        try:
            # One that fails before it has read says why below.
            with contextlib.suppress(BrokenPipeError), process.stdin or io.BytesIO() as stdin:
                stdin.write(json.dumps(wish).encode())
            for line in process.stdout or ():
                number, answer = json.loads(line)
                yield number, Answer(**answer)
        except BaseException:
            # A sweep that is given up asks nobody any more.
            process.kill()
            raise
        if process.wait():
            complaints.seek(0)
            said = complaints.read().decode("utf-8", "replace").strip().splitlines()
            why = said[-1] if said else f"exit status {process.returncode}"
            raise AskingError(f"asking the nodes failed: {why}")
