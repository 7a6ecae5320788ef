"""Tell by where Ansible read a value whether it is kept in a vault."""

from __future__ import annotations

import functools
from pathlib import Path

# ansible-core has no public name for it (2.19 to 2.21); without it, only the values of single
# variables, `!vault`, are known to come from a vault.
try:
    from ansible._internal._datatag._tags import Origin
except ImportError:  # pragma: no cover -- a later ansible-core
    Origin = None

from .model import Value
from .sources import VAULT_HEADER

#: What ansible-core calls a value that was given with ``-e name=value``.
COMMAND_LINE = "<CLI option "


def stands_in_vault(value: Value) -> bool:
    """Whether a value was read from a file that is encrypted as a whole."""
    origin = Origin and Origin.get_tag(value)
    return bool(origin and origin.path and _is_vault(origin.path))


def comes_from_command_line(value: Value) -> bool:
    """Whether a value was given with the command, and so stands in no file."""
    origin = Origin and Origin.get_tag(value)
    return bool(origin and not origin.path and COMMAND_LINE in (origin.description or ""))


@functools.cache
def _is_vault(file: str) -> bool:
    try:
        with Path(file).open("rb") as opened:
            return opened.read(len(VAULT_HEADER)) == VAULT_HEADER.encode()
    except OSError:
        return False
