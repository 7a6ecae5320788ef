"""What goes to a node is what the reader imports, whole, and runs on a node's Python."""

from __future__ import annotations

import ast
import sys

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.sweep import packed

COLLECTION = "ansible_collections.gpulab.core.plugins"
NODES_PYTHON = (3, 9)
EVERY = {"bootstrap": packed.bootstrap(), **packed.sources()}


def test_what_hardware_info_imports_is_packed() -> None:
    module = (packed.PLUGINS / "modules/hardware_info.py").read_text()
    imported = set(packed.imported(module, f"{COLLECTION}.modules.hardware_info"))
    assert imported <= set(packed.sources())
    # One that only another probe imports.
    assert f"{COLLECTION}.module_utils.hardware.xid" in packed.sources()


def test_what_runs_on_a_node_is_packed_and_nothing_else() -> None:
    assert all(name.startswith(f"{COLLECTION}.module_utils.") for name in packed.sources())


@pytest.mark.parametrize("name", EVERY)
def test_it_runs_on_a_nodes_python_with_the_standard_library_alone(name: str) -> None:
    tree = ast.parse(EVERY[name], feature_version=NODES_PYTHON)
    absolute = {
        module.partition(".")[0]
        for node in ast.walk(tree)
        for module in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [str(node.module)]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
    }
    assert absolute - {"ansible_collections"} <= sys.stdlib_module_names


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("import os", []),
        ("from pathlib import Path", []),
        ("from .sysfs import Tree", ["module_utils.hardware.sysfs"]),
        ("from ..facts.gather import gather", ["module_utils.facts.gather"]),
        (
            "from . import cpu, memory",
            ["module_utils.hardware.cpu", "module_utils.hardware.memory"],
        ),
        (
            f"from {COLLECTION}.module_utils.hardware.sysfs import Tree",
            ["module_utils.hardware.sysfs"],
        ),
        # Also where a function imports.
        ("def f():\n    from .sysfs import Tree", ["module_utils.hardware.sysfs"]),
    ],
)
def test_imports(line: str, found: list[str]) -> None:
    names = packed.imported(line, f"{COLLECTION}.module_utils.hardware.disks")
    assert list(names) == [f"{COLLECTION}.{name}" for name in found]


def test_an_import_of_a_file_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "bootstrap", lambda: f"from {COLLECTION}.module_utils import gone")
    packed.sources.cache_clear()
    with pytest.raises(FileNotFoundError, match=r"gone\.py"):
        packed.sources()


def test_the_same_files_give_the_same_line() -> None:
    first = packed.pack(3.0)
    packed.sources.cache_clear()
    assert packed.pack(3.0) == first
    assert packed.pack(2.0) != first
    assert "\n" not in first
