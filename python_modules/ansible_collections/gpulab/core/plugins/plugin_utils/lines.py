"""Print lines of gpulab_fleet in Ansible's colours."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ansible import constants

if TYPE_CHECKING:
    from ansible.utils.display import Display

    from gpulab_fleet.terminal import Line

_COLOURS = {
    "pass": constants.COLOR_OK,
    "warn": constants.COLOR_WARN,
    "fail": constants.COLOR_ERROR,
    "unknown": constants.COLOR_UNREACHABLE,
    "": None,
}


def show(display: Display, lines: Iterable[Line]) -> None:
    """Print each line on ``display`` in the colour of its status."""
    for line in lines:
        display.display(line.text, color=_COLOURS[line.status])
