"""Prove that a framework's environment is what its lock says and works. Standard library only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any


class ProofError(RuntimeError):
    """The proof could not be carried out; the message says how far it came."""


def version_problems(environment: Path, pins: Mapping[str, str]) -> list[str]:
    """Return one line per package whose version in the environment is not the lock's."""
    folders = [str(folder) for folder in environment.glob("lib/python3.*/site-packages")]
    problems = []
    for name, wanted in sorted(pins.items()):
        installed = metadata.Distribution.discover(name=name, path=folders)
        found = next((distribution.version for distribution in installed), "missing")
        if found != wanted:
            problems.append(f"{name} is {found}, the lock says {wanted}")
    return problems


def compute(
    environment: Path, script: str, build: str, devices: Sequence[str], timeout_s: int
) -> dict[str, Any]:
    """Run a framework's script under the environment's Python and return what it says.

    The script reads {"build", "devices"} as its argument, and prints one JSON object {"version",
    "build", "problems"}, with exit status 1 when there are problems.

    Raises:
        ProofError: It crashed, printed something else, or did not end within `timeout_s` seconds.
    """
    wish = json.dumps({"build": build, "devices": list(devices)})
    python = environment / "bin" / "python"
    try:
        code, output, errors = _run([str(python), "-", wish], script, timeout_s)
    except OSError as error:
        raise ProofError(f"{python} does not start: {error.strerror}") from error
    try:
        said: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    except (IndexError, ValueError):
        said = {}
    if code not in (0, 1) or "problems" not in said:
        tail = " ".join((errors or output).strip().splitlines()[-3:])
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit status {code}"
        raise ProofError(f"{python} {how}: {tail}")
    return said


def _run(command: list[str], script: str, timeout_s: int) -> tuple[int, str, str]:
    """Run in a process group of its own, so that a time-out leaves nothing behind."""
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, errors = process.communicate(script, timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            message = f"{command[0]} did not multiply matrices within {timeout_s} s"
            raise ProofError(message) from error
        return process.returncode, output, errors
