"""Lines for a terminal, and how they are printed in Ansible's colours."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from ansible import constants

if TYPE_CHECKING:
    from ansible.utils.display import Display

_COLOURS = {
    "pass": constants.COLOR_OK,
    "warn": constants.COLOR_WARN,
    "fail": constants.COLOR_ERROR,
    "unknown": constants.COLOR_UNREACHABLE,
    "": None,
}


class Line(NamedTuple):
    """One line; ``status`` is its colour, or "" for none."""

    status: str
    text: str


def show(display: Display, lines: Iterable[Line]) -> None:
    """Print each line on ``display`` in the colour of its status."""
    for line in lines:
        display.display(line.text, color=_COLOURS[line.status])
