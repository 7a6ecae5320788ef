"""Let the tests of this folder share the unit tests' samples, and a network of namespaces."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The samples are the unit tests' own.
sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "firewall"))
sys.path.insert(0, str(Path(__file__).parent))

from namespaces import World


@pytest.fixture
def world() -> Iterator[World]:
    """An empty network, which is gone with the test."""
    with World() as made:
        yield made
