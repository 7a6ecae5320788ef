"""Let the tests of this folder share the unit tests' samples, and a network of namespaces."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from namespaces import World


@pytest.fixture
def world() -> Iterator[World]:
    """An empty network, which is gone with the test."""
    with World() as made:
        yield made
