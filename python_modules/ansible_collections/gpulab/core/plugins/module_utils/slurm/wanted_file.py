"""Whom the lab has out of service, as the head remembers it between two runs.

Slurm may lift a drain by itself: a reboot with ``nextstate=RESUME``, a lost state folder. So the
head keeps a copy of what the last run told it, and a timer looks once a minute.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ..atomic_write import write_text
from ..file_lock import exclusive_lock

FILE = Path("/var/lib/gpulab/slurm-admission.json")
_LOCK_S = 20.0


def read(file: Path = FILE) -> dict[str, str]:
    """Return node → why it is out.

    Raises:
        ValueError: the file was not written by this.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    if not isinstance(found, dict) or not all(isinstance(why, str) for why in found.values()):
        msg = (
            f"{file} does not say which nodes are out of service: remove it, and run admission.yml"
        )
        raise ValueError(msg)
    return found


def remember(wanted: Mapping[str, str], file: Path = FILE, *, write: bool = True) -> bool:
    """Take over what a run says of its nodes; the others stay as they are.

    Args:
        wanted: Node → why it is out; "" where it is not.
        file: Where.
        write: Whether to write it, rather than only to say whether it would change.

    Returns:
        Whether that changes anything.

    Raises:
        OSError: it cannot be written.
    """
    if write:
        file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    elif not file.parent.is_dir():
        return any(wanted.values())
    with exclusive_lock(file.parent, _LOCK_S, "telling Slurm who is in service"):
        try:
            before = read(file)
        except ValueError:
            before = {}
        merged = {**before, **wanted}
        after = {name: why for name, why in sorted(merged.items()) if why}
        if after == before:
            return False
        if write:
            write_text(file, f"{json.dumps(after, indent=1, ensure_ascii=False)}\n", 0o644)
        return True
