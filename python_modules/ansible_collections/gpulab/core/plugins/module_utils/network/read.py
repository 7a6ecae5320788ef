"""Read what a node's network is, and which files say so. Runs on the node."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from ..hardware.nics import read_nics
from ..hardware.sysfs import Tree
from ..process import call
from .programs import PROGRAMS

#: Passwords and keys of wireless networks, 802.1X and tunnels, in any back end's words.
_SECRET = re.compile(
    r"^(\s*[^#\n=:]*(?:psk|passw|secret|private-?key|wep-?key|\bpin\b)[^\n=:]*[=:]\s*)\S.*$",
    re.IGNORECASE | re.MULTILINE,
)
#: Those that back ends are told by, and what the MTU is checked with.
_TOOLS = [*(program.tool for program in PROGRAMS), "ping"]
#: Each of these tools answers at once, unless the node is in trouble.
TIMEOUT_S = 20.0


class ReadError(Exception):
    """The node does not tell what has to be known; the text says what and why."""


def read_network(root: str = "/") -> dict[str, Any]:
    """Read the node's interfaces, routes, back ends and their files.

    Returns:
        ``links``, ``routes4``, ``routes6``: what iproute2 says, as JSON; ``cards``: names of what
        is hardware, with driver; ``permanent``: name → the card's own MAC; ``units``: those of the
        back ends that are active; ``programs``: their programs that are installed; ``files``: path
        → text of their configuration, without passwords; ``secret``: those that hold one.

    Raises:
        ReadError: iproute2 does not answer.
    """
    nics = read_nics(Tree(root))
    found = files(root)
    bare = {path: _SECRET.sub(r"\1(secret)", text) for path, text in found.items()}
    return {
        "links": _ip("-details", "address", "show"),
        "routes4": _ip("-4", "route", "show"),
        "routes6": _ip("-6", "route", "show"),
        "cards": {nic["name"]: nic["driver"] or "" for nic in nics if nic["physical"]},
        "permanent": {nic["name"]: nic["mac"] for nic in nics if nic["physical"] and nic["mac"]},
        "units": _active(),
        "programs": [name for name in _TOOLS if shutil.which(name)],
        "files": bare,
        "secret": [path for path, text in found.items() if bare[path] != text],
    }


def files(root: str = "/") -> dict[str, str]:
    """Read the configuration files of all back ends: path → text."""
    base = Path(root)
    return {
        f"/{path.relative_to(base)}": path.read_text(errors="replace")
        for program in PROGRAMS
        for pattern in program.patterns
        for path in sorted(base.glob(pattern))
        if path.is_file()
    }


def _ip(*words: str) -> list[dict[str, Any]]:
    status, said = call("ip", "-json", *words, timeout_s=TIMEOUT_S)
    if status != 0:
        msg = f"ip {' '.join(words)}: {said}"
        raise ReadError(msg)
    shown: list[dict[str, Any]] = json.loads(said or "[]")
    # Debian 12's prints an empty object where there is nothing to show.
    return [entry for entry in shown if entry]


def _active() -> list[str]:
    units = [program.unit for program in PROGRAMS if program.unit]
    _status, said = call("systemctl", "is-active", *units, timeout_s=TIMEOUT_S)
    return [unit for unit, state in zip(units, said.splitlines()) if state == "active"]
