"""What the tests of the roles that every node gets share."""

from __future__ import annotations

import pytest
from playbook_run import Converge, Play


@pytest.fixture(scope="session")
def apply(converge: Converge) -> Play:
    """Apply one role to the node, with other variables: ``apply("ssh", ssh_max_auth_tries=7)``."""
    return lambda role, **variables: converge("--limit=node01", base_only=[role], **variables)
