"""What holds for every case."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.records import paths


@pytest.fixture(autouse=True)
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project's own history stays as it is."""
    monkeypatch.setenv(paths.STATE_VARIABLE, str(tmp_path / "state"))
