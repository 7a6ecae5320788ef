"""docs/gpu-software.md says what the catalogue says."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.gpu_software.catalogue import (
    BRANCHES,
    TOOLKITS,
)

ROOT = Path(__file__).parents[3]
GENERATOR = "scripts/generate_gpu_software_docs.py"


def generate(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / GENERATOR), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what the generator reads, so that a test writes nothing into the project."""
    for part in ("gpu_software", "hardware"):
        folder = f"python_modules/ansible_collections/gpulab/core/plugins/module_utils/{part}"
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for folder in ("scripts", "docs"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / GENERATOR, tmp_path / GENERATOR)
    return tmp_path


def test_the_page_is_fresh_and_complete() -> None:
    done = generate(ROOT, "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    text = (ROOT / "docs/gpu-software.md").read_text(encoding="utf-8")
    assert [name for name in (*BRANCHES, *TOOLKITS) if f"| {name} |" not in text] == []


def test_a_stale_page_is_told_and_written_anew(copy: Path) -> None:
    stale = generate(copy, "--check")
    assert (stale.returncode, stale.stdout) == (
        1,
        "docs/gpu-software.md is stale, run `make docs`\n",
    )
    assert not (copy / "docs/gpu-software.md").exists()
    assert generate(copy).returncode == 0
    assert generate(copy, "--check").returncode == 0
    (copy / "docs/gpu-software.md").write_text("old", encoding="utf-8")
    assert generate(copy, "--check").returncode == 1
