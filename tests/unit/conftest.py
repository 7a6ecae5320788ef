"""What holds for all unit tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

# No deadline: what is tested is what comes out, and a loaded node may take its time.
settings.register_profile("gpulab", deadline=None)
settings.load_profile("gpulab")


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The history and the admission of whoever runs the tests stay as they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GPULAB_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        yield
