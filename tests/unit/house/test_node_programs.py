"""Programs that stay on a node: they are shipped with all that they import, and run alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils import node_programs

START = node_programs.PROGRAMS["gpulab-rollback"]


def lay(root: Path, **files: str) -> Path:
    """Write files; a path's slashes are double underscores."""
    for name, text in {"start": "", **files}.items():
        path = root / (START if name == "start" else f"{name.replace('__', '/')}.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"start": "import os\nfrom pathlib import Path\n"}, [START]),
        ({"start": "from . import lock, units"}, ["commit/lock.py", START, "commit/units.py"]),
        ({"start": "from .lock import held"}, ["commit/lock.py", START]),
        ({"start": "from ..process import call"}, [START, "process.py"]),
        ({"start": "from ..files import plan"}, [START, "files/plan.py"]),
        ({"start": "def late():\n    from . import lock"}, ["commit/lock.py", START]),
        (
            {"start": "from . import lock", "commit__lock": "from ..process import call"},
            ["commit/lock.py", START, "process.py"],
        ),
        (
            {"start": "from . import lock", "commit__lock": "from . import runner"},
            ["commit/lock.py", START],
        ),
    ],
    ids=["none", "siblings", "of-a-file", "above", "folder", "late", "through", "circle"],
)
def test_all_that_is_imported_is_found(
    tmp_path: Path, files: dict[str, str], found: list[str]
) -> None:
    there = dict.fromkeys(("commit__lock", "commit__units", "process", "files__plan"), "")
    laid = lay(tmp_path, **{**there, **files})
    shipped = node_programs.source_files("gpulab-rollback", laid)
    assert list(shipped) == found
    assert shipped[START] == files["start"]


def test_what_is_imported_and_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"gpulab-rollback is made of .*/commit/lock\.py, which"):
        node_programs.source_files("gpulab-rollback", lay(tmp_path, start="from . import lock"))


def test_a_program_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no program 'gpulab'"):
        node_programs.source_files("gpulab")


@pytest.mark.parametrize(
    ("program", "call", "status", "told"),
    [
        ("gpulab-rollback", "run()", 2, "usage: gpulab-rollback"),
        ("hardware-reader", "print(read_hardware(9.0)['schema'])", 0, "1"),
    ],
)
def test_what_is_shipped_runs_alone(
    tmp_path: Path, program: str, call: str, status: int, told: str
) -> None:
    """As on a node: a package of another name, with nothing else to import."""
    for name, text in node_programs.source_files(program).items():
        path = tmp_path / "gpulab_node" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    start = node_programs.PROGRAMS[program].removesuffix(".py").replace("/", ".")
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"from gpulab_node.{start} import *; {call}"],
        cwd=tmp_path,
        env={},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status
    assert told in done.stdout + done.stderr
