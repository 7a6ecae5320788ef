"""Let the cases use the samples of each stage's own tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.records import paths

# pytest's importlib mode puts no test folder on the path.
_UNIT = Path(__file__).parents[1]
for folder in ("bench", "pairs", "fleet", "catalogue"):
    sys.path.insert(0, str(_UNIT / folder))


@pytest.fixture(autouse=True)
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project's own history stays as it is."""
    monkeypatch.setenv(paths.STATE_VARIABLE, str(tmp_path / "state"))
