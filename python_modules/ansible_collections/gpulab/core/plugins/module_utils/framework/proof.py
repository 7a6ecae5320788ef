"""Prove that a framework's environment is what its lock says and works. Standard library only."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from ..process import run_group


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
    requested = json.dumps({"build": build, "devices": list(devices)})
    python = environment / "bin" / "python"
    # By argument, not by standard input: run_group gives it none.
    outcome = run_group([str(python), "-c", script, requested], os.environ, timeout_s)
    if outcome.start_error:
        raise ProofError(f"{python} does not start: {outcome.start_error.rpartition(': ')[2]}")
    if outcome.timed_out:
        raise ProofError(f"{python} did not multiply matrices within {timeout_s} s")
    try:
        said: dict[str, Any] = json.loads(outcome.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        said = {}
    code = outcome.returncode
    if code not in (0, 1) or "problems" not in said:
        tail = " ".join((outcome.stderr_tail or outcome.stdout).strip().splitlines()[-3:])
        how = (
            f"was ended by signal {-code}"
            if code and code < 0
            else f"ended with exit status {code}"
        )
        raise ProofError(f"{python} {how}: {tail}")
    return said
