"""Fixtures of the fleet tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fleet_samples import LAB, RUN_ID
from gathered_machines import gather_all

from ansible_collections.gpulab.core.plugins.plugin_utils.records import paths


@pytest.fixture(autouse=True)
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the samples' lab; the project's own history and admission stay as they are."""
    monkeypatch.setenv(paths.STATE_VARIABLE, str(tmp_path / "state"))
    return tmp_path / "state" / LAB


@pytest.fixture(scope="session")
def gathered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The facts of every node of the hardware tests; who changes some, changes a copy."""
    return gather_all(tmp_path_factory.mktemp("machines"))


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "reports" / LAB / RUN_ID
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def write_failures(run_dir: Path) -> Callable[..., None]:
    def write(*failures: dict[str, Any]) -> None:
        content = {"schema": 1, "run_id": RUN_ID, "failures": list(failures)}
        (run_dir / "failures.json").write_text(json.dumps(content))

    return write
