"""What goes to a node is the reader of hardware_info, whole, and runs on a node's Python."""

from __future__ import annotations

import ast
import base64
import json
import sys
import zlib
from typing import Any

from ansible_collections.gpulab.core.plugins.plugin_utils import node_programs
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep import packed

NODES_PYTHON = (3, 9)


def unpacked(line: str) -> dict[str, Any]:
    sent: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(line, validate=True)))
    return sent


def test_what_hardware_info_reads_by_is_packed() -> None:
    sent = unpacked(packed.pack(3.0))
    assert sent["start"] == "gpulab_node.facts.read"
    reader = node_programs.MODULE_UTILS / "facts/read.py"
    assert sent["sources"]["gpulab_node.facts.read"] == reader.read_text()
    module = node_programs.MODULE_UTILS.parent / "modules/hardware_info.py"
    assert "from ..module_utils.facts.read import read_hardware\n" in module.read_text()
    # One that only a probe imports.
    assert "gpulab_node.hardware.xid" in sent["sources"]


def test_the_same_files_give_the_same_line() -> None:
    first = packed.pack(3.0)
    packed.pack.cache_clear()
    assert packed.pack(3.0) == first
    assert packed.pack(2.0) != first
    assert "\n" not in first


def test_what_begins_runs_on_a_nodes_python_with_the_standard_library_alone() -> None:
    """The rest is held to it as all of ``module_utils`` is."""
    nodes = list(ast.walk(ast.parse(packed.bootstrap(), feature_version=NODES_PYTHON)))
    imports = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imports |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imports} <= sys.stdlib_module_names
