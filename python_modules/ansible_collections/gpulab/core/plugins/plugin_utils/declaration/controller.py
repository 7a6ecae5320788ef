"""Check what the controller itself needs."""

from __future__ import annotations

import re

OLDEST_ANSIBLE = (2, 19)
OLDEST_PYTHON = (3, 11)
INSTALL = "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"


def controller_problem(ansible: str, python: tuple[int, int], missing_package: str = "") -> str:
    """Say why this controller cannot run gpulab.

    Args:
        ansible: version of ansible-core, such as ``2.19.14`` or ``2.21.0b1``.
        python: major and minor version of the controller's Python.
        missing_package: a Python package that could not be imported, or "".

    Returns:
        One sentence with the fix, or "" when the controller will do.
    """
    numbers = re.match(r"(\d+)\.(\d+)", ansible)
    release = (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)
    if release < OLDEST_ANSIBLE:
        return (
            f"ansible-core {ansible} is too old: gpulab needs "
            f"{_spell(OLDEST_ANSIBLE)} or newer. Install it with: {INSTALL}"
        )
    if python < OLDEST_PYTHON:
        return (
            f"Python {_spell(python)} is too old on the controller: gpulab needs "
            f"{_spell(OLDEST_PYTHON)} or newer. With one, run: {INSTALL}"
        )
    if missing_package:
        return f"the Python package {missing_package} is missing. Install it with: {INSTALL}"
    return ""


def _spell(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
