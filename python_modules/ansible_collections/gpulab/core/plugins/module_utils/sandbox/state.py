"""What a sandbox remembers between runs: its plan, in ``state.json`` in its folder."""

from __future__ import annotations

import json
from pathlib import Path

from ..atomic_write import write_text
from .errors import SandboxError
from .plan import Plan


def read(folder: Path) -> Plan:
    """Read the plan of an earlier start, or an empty one.

    Raises:
        SandboxError: when the file is not what ``write`` wrote.
    """
    file = folder / "state.json"
    if not file.exists():
        return Plan()
    try:
        data = json.loads(file.read_text())
        return Plan(dict(data["subnets"]), dict(data["addresses"]))
    except (ValueError, KeyError, TypeError) as broken:
        msg = f"{file} is damaged ({broken}): `make down` removes the sandbox, then start it again"
        raise SandboxError(msg) from broken


def write(folder: Path, plan: Plan) -> None:
    """Write the plan so that an interruption leaves the old file or the new one."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_text(
        folder / "state.json",
        json.dumps({"subnets": plan.subnets, "addresses": plan.addresses}, indent=2) + "\n",
    )


def replace_text(file: Path, text: str) -> bool:
    """Write a file through a rename; return whether its content changed."""
    if file.exists() and file.read_text() == text:
        return False
    write_text(file, text)
    return True
