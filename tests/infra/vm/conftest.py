"""How the tests of virtual machines run playbooks."""

from __future__ import annotations

import pytest
from playbook_run import MITOGEN


@pytest.fixture(scope="session")
def strategy() -> str:
    """Mitogen's: that both give the same is proved by tests/runs."""
    return MITOGEN
