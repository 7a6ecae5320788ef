"""What the controller's code imports itself stands in requirements.in, and in the lock."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from import_law import PLUGINS, read_tree

PROJECT = Path(__file__).resolve().parents[3]
# Distributions whose module has another name, and ours.
DISTRIBUTION = {"yaml": "pyyaml", "ansible": "ansible-core", "ansible_mitogen": "mitogen"}
OURS = {"ansible_collections", "gpulab_bench"}
# An opt-in with requirements of its own.
ELSEWHERE = {"mitogen": "requirements-mitogen.in"}
# Modules and what they need run on nodes.
NODES = (f"{PLUGINS}.modules", f"{PLUGINS}.module_utils")


def declared(file: Path) -> set[str]:
    """The distributions that a requirements file names, and those of the files that it reads."""
    found: set[str] = set()
    for line in file.read_text(encoding="utf-8").splitlines():
        words = line.partition("#")[0].split()
        if words[:1] == ["-r"]:
            found |= declared(file.parent / words[1])
        elif words:
            found.add(re.split(r"[^A-Za-z0-9._-]", words[0])[0].rstrip("=").lower())
    return found


def imported(root: Path) -> set[str]:
    """The distributions that the controller's code imports."""
    tree = read_tree(root)
    modules = {
        one.target.partition(".")[0]
        for name, file in tree.items()
        if name.startswith(PLUGINS) and not name.startswith(NODES)
        for one in file.imports
    }
    foreign = modules - set(sys.stdlib_module_names) - OURS
    return {DISTRIBUTION.get(name, name) for name in foreign}


def test_every_import_of_the_controller_is_required() -> None:
    missing = {
        name
        for name in imported(PROJECT / "python_modules")
        if name not in declared(PROJECT / ELSEWHERE.get(name, "requirements.in"))
    }

    assert missing == set()


@pytest.mark.parametrize("name", ["jinja2", "paramiko", "gevent", "packaging", "pyyaml"])
def test_what_is_required_is_locked_with_its_hashes(name: str) -> None:
    lock = (PROJECT / "requirements.txt").read_text(encoding="utf-8")

    assert re.search(rf"^{name}==\S+ \\\n    --hash=sha256:", lock, re.MULTILINE)


def test_an_import_that_nobody_requires_is_found(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*PLUGINS.split("."), "action")
    folder.mkdir(parents=True)
    (folder / "one.py").write_text("import os\nfrom tomato.red import x\n", encoding="utf-8")

    assert imported(tmp_path) == {"tomato"}
    (tmp_path / "other.txt").write_text("tomato>=1 # red\n", encoding="utf-8")
    (tmp_path / "some.in").write_text("-r other.txt\nplum==2.* ; x\n", encoding="utf-8")
    assert declared(tmp_path / "some.in") == {"tomato", "plum"}
