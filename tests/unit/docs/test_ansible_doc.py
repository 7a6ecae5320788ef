"""Every plugin's documentation parses, and says what a user needs."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
PLUGINS = ROOT / "python_modules/ansible_collections/gpulab/core/plugins"
KINDS = {"modules": "module", "filter": "filter", "callback": "callback", "lookup": "lookup"}


def names(folder: str) -> list[str]:
    """List what a folder of the collection offers; a filter's name is its sidecar's."""
    pattern = "*.yml" if folder == "filter" else "*.py"
    return sorted(file.stem for file in (PLUGINS / folder).glob(pattern))


@pytest.fixture(scope="module")
def documented() -> dict[tuple[str, str], dict[str, Any]]:
    """What ansible-doc makes of each plugin: (kind, name) → its document."""
    found = {}
    for folder, kind in KINDS.items():
        full = [f"gpulab.core.{name}" for name in names(folder)]
        command = [str(Path(sys.executable).parent / "ansible-doc"), "-t", kind, "-j", *full]
        shown = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=True, env=dict(os.environ)
        )
        for name, document in json.loads(shown.stdout).items():
            found[kind, name.rpartition(".")[2]] = document
    return found


@pytest.mark.parametrize(
    ("kind", "name"), [(KINDS[folder], name) for folder in KINDS for name in names(folder)]
)
def test_the_documentation_parses(
    documented: dict[tuple[str, str], dict[str, Any]], kind: str, name: str
) -> None:
    document = documented[kind, name]
    assert document["doc"]["short_description"]
    if kind != "callback":
        assert document["examples"].strip()


def test_every_action_has_a_documented_module() -> None:
    assert set(names("action")) <= set(names("modules"))


@pytest.mark.parametrize("file", sorted((PLUGINS / "filter").glob("*.py")), ids=lambda f: f.stem)
def test_every_filter_has_a_sidecar(file: Path) -> None:
    package = "ansible_collections.gpulab.core.plugins.filter"
    offered = importlib.import_module(f"{package}.{file.stem}").FilterModule().filters()
    assert offered.keys() <= set(names("filter"))
