"""The fleet that all tests here sweep."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .fleet import SIZE, Fleet

# What is ill beside the fifty, one of each kind.
ILL = ("silent", "hanging", "refusing", "stranger", "plain", "pythonless")


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Fifty nodes, and one of each ailment."""
    machines = {f"node{number:02d}": "well" for number in range(1, SIZE + 1)}
    made = Fleet(
        tmp_path_factory.mktemp("a fleet"), {**machines, **{ailment: ailment for ailment in ILL}}
    )
    try:
        made.up()
        yield made
    finally:
        made.down()
