"""How the tests of the driver in a virtual machine run playbooks."""

from __future__ import annotations

import pytest
from playbook_run import MITOGEN


@pytest.fixture(scope="session")
def strategy() -> str:
    """Mitogen's: under emulation each start of a Python on the node costs seconds."""
    return MITOGEN
