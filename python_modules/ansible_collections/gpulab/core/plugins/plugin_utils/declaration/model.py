"""What the checks of a declaration work on, and what they return.

Everything in this package runs on the controller only, so it may use PyYAML and jsonschema.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Union

Key = Union[str, int]
Path = tuple[Key, ...]
Value = Any  # whatever YAML can hold
LONGEST_VALUE_SHOWN = 60


class Secret(str):
    """A text that came out of a vault: it is compared, never shown."""

    __slots__ = ()


class Unresolved:
    """Stands where a template could not be resolved; the reason is a problem of its own."""


@dataclass(frozen=True)
class Problem:
    """One mistake.

    Attributes:
        owner: the node whose variable is wrong, or "" for the lab.
        path: the key, from the variable's name down.
        wrong: what is wrong, one sentence without its full stop.
        right: what would be right.
        file: the file when it is known better than by looking ``path`` up.
        line: the line in that file, from 1.
    """

    owner: str
    path: Path
    wrong: str
    right: str
    file: str = ""
    line: int = 0


@dataclass(frozen=True)
class Host:
    """One node of the inventory.

    Attributes:
        name: its inventory name.
        groups: names of its groups without ``all``, the smallest group first.
        variables: its variables with templates resolved, plain Python values.
        raw: the same variables as they are written, secrets as `Secret`.
    """

    name: str
    groups: tuple[str, ...] = ()
    variables: dict[str, Any] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Declaration:
    """A whole inventory, as far as it describes the lab.

    Attributes:
        lab: the ``lab_*`` variables with templates resolved.
        hosts: the machines.
        groups: names of all groups.
        problems: what was already wrong while the variables were collected.
        lab_raw: the ``lab_*`` variables as they are written.
    """

    lab: dict[str, Any]
    hosts: tuple[Host, ...] = ()
    groups: frozenset[str] = frozenset()
    problems: tuple[Problem, ...] = ()
    lab_raw: dict[str, Any] = field(default_factory=dict)

    def by_name(self) -> list[Host]:
        """The nodes in the order of their names, so that messages never change places."""
        return sorted(self.hosts, key=lambda host: host.name)


def mapping(value: Value) -> dict[Any, Any]:
    """The value if it is a mapping, else an empty one: its shape is reported elsewhere."""
    return value if isinstance(value, dict) else {}


def sequence(value: Value) -> list[Any]:
    """The value if it is a list, else an empty one: its shape is reported elsewhere."""
    return value if isinstance(value, list) else []


def text(value: Value) -> str:
    """The value if it is a string, else an empty one: its shape is reported elsewhere."""
    return value if isinstance(value, str) else ""


def whole(value: Value) -> int | None:
    """The value if it is an integer (a boolean is none), else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def show(value: Value) -> str:
    """The value on one short line for a message; a secret, at any depth, is hidden."""
    line = json.dumps(_hidden(value), ensure_ascii=False, default=str)
    if len(line) > LONGEST_VALUE_SHOWN:
        return line[: LONGEST_VALUE_SHOWN - 1] + "…"
    return line


def _hidden(value: Value) -> Value:
    if isinstance(value, Secret):
        return "(secret)"
    if isinstance(value, dict):
        return {
            key if isinstance(key, str) else str(key): _hidden(item) for key, item in value.items()
        }
    if isinstance(value, list):
        return [_hidden(item) for item in value]
    return value


def spell(path: Path) -> str:
    """The key as a person writes it: ``lab_flows[2].ports[0]``."""
    spelled = ""
    for key in path:
        if isinstance(key, int):
            spelled += f"[{key}]"
        else:
            spelled += f".{key}" if spelled else key
    return spelled
