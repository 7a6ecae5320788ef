"""In which order the test files of a scenario run, where that matters.

A scenario's nodes are shared by its tests, and some tests leave them changed. Such a scenario
says in ``tests/infra/<scenario>/order.txt`` which file comes after which: one name a line, and why
in comments (``#``).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

#: The file beside the tests that has the order.
ORDER = "order.txt"


def read(text: str) -> list[str]:
    """Read the names of an order.txt, without comments."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def ranks(listed: Iterable[str], there: Iterable[str]) -> dict[str, int]:
    """Give each test file its place.

    Args:
        listed: file names in their order.
        there: the test files of the scenario.

    Raises:
        ValueError: a file is there and not listed, or listed and not there, or listed twice.
    """
    listed = list(listed)
    if sorted(listed) != sorted(there):
        odd = sorted(set(listed) ^ set(there)) or sorted(
            name for name in set(listed) if listed.count(name) > 1
        )
        msg = f"{ORDER} must name each test file once; look at {', '.join(odd)}"
        raise ValueError(msg)
    return {name: place for place, name in enumerate(listed)}


def places(folder: Path) -> dict[str, int]:
    """Give the test files of a folder their places; an empty dict where their order is free.

    Raises:
        ValueError: as ``ranks`` does, with the folder.
    """
    file = folder / ORDER
    if not file.is_file():
        return {}
    try:
        return ranks(read(file.read_text()), [test.name for test in folder.glob("test_*.py")])
    except ValueError as error:
        msg = f"{folder}: {error}"
        raise ValueError(msg) from error
