"""The reader of ``gpulab.core.hardware_info``, packed for a node as one line of text.

What is packed follows from the imports, beginning with those of `bootstrap`: there is no list.
"""

from __future__ import annotations

import ast
import base64
import functools
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

_COLLECTION = "ansible_collections.gpulab.core.plugins"
PLUGINS = Path(__file__).parents[2]
_BOOTSTRAP = Path(__file__).with_name("bootstrap.py")


@functools.cache
def bootstrap() -> str:
    """Return the text of the program that begins on the node."""
    return _BOOTSTRAP.read_text(encoding="utf-8")


@functools.cache
def sources() -> dict[str, str]:
    """Return the modules that the program needs beside the standard library: name → text."""
    found: dict[str, str] = {}
    waiting = list(imported(bootstrap(), ""))
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found[name] = _file(name).read_text(encoding="utf-8")
        waiting += imported(found[name], name)
    return dict(sorted(found.items()))


def pack(limit_s: float) -> str:
    """Return the line for the program: the same files give the same line.

    Args:
        limit_s: Seconds after which a part of the hardware is given up as unknown.
    """
    sent = json.dumps({"limit_s": limit_s, "sources": sources()})
    return base64.b64encode(zlib.compress(sent.encode(), 9)).decode()


def imported(text: str, name: str) -> Iterator[str]:
    """Give the modules of the collection that a module's text imports.

    Args:
        text: The module's source.
        name: The module's full name, from which its relative imports count.
    """
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.ImportFrom):
            continue
        above = name.split(".")[: -node.level] if node.level else []
        module = ".".join([*above, *filter(None, [node.module])])
        if not module.startswith(f"{_COLLECTION}."):
            continue
        if _file(module).is_file():
            yield module
        else:
            yield from (f"{module}.{each.name}" for each in node.names)


def _file(name: str) -> Path:
    return PLUGINS.joinpath(*name.removeprefix(f"{_COLLECTION}.").split(".")).with_suffix(".py")
