"""Documents of healthy runs, and interpreters that are scripts."""

from __future__ import annotations

import json
import stat
import sys
import textwrap
from pathlib import Path
from typing import Any, Callable

import pytest
from bench_documents import GPU, healthy

SCHEMA = Path(__file__).parents[3] / "python_modules/gpulab_bench/schemas/result.schema.json"


@pytest.fixture
def cpu_document() -> dict[str, Any]:
    return healthy()


@pytest.fixture
def gpu_document() -> dict[str, Any]:
    return healthy(GPU)


@pytest.fixture(scope="session")
def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return loaded


@pytest.fixture
def fake_python(tmp_path: Path) -> Callable[[str], str]:
    """Make an executable that stands in for PyTorch's interpreter: a Python script."""

    def make(body: str) -> str:
        path = tmp_path / "fake_python"
        # By way of sh, as pip does: a shebang cannot name a path with a space in it.
        by_sh = f"#!/bin/sh\n'''exec' \"{sys.executable}\" \"$0\" \"$@\"\n' '''\n"
        path.write_text(f"{by_sh}{textwrap.dedent(body)}", encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    return make
