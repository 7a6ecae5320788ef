"""Runs on a node: take the reader's files from standard input, read the hardware, print the facts.

The controller sends this file's text and, after it, one line with what `packed` made: base64, zlib,
JSON. The files become modules of this process alone; nothing is written on the node. Standard
library only, Python 3.9.
"""

from __future__ import annotations

import base64
import importlib.abc
import importlib.machinery
import json
import os
import signal
import sys
import zlib
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

# The answer is the line that begins so; what a login prints by itself comes before.
MARK = "gpulab-hardware: "
# A controller that dies while it sends must not leave a reader behind.
_RECEIVE_S = 60
# Python 3.9, as `sys.hexversion` has it.
_OLDEST = 0x03090000


class SentFiles(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finds and loads modules whose source is in memory."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        """Take the sources: module's full name → text."""
        self._sources = sources
        self._packages = {
            name[:end] for name in sources for end, sign in enumerate(name) if sign == "."
        }

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return where a module comes from, or None where it is not ours."""
        package = fullname in self._packages
        if not package and fullname not in self._sources:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=package)

    def is_package(self, fullname: str) -> bool:
        """Return whether it is a folder."""
        return fullname in self._packages

    def get_source(self, fullname: str) -> str:
        """Return a module's text; a folder has none."""
        return self._sources.get(fullname, "")


def _require_python() -> None:
    if sys.hexversion < _OLDEST:
        version = ".".join(map(str, sys.version_info[:3]))
        raise RuntimeError(f"Python {version} is older than 3.9")


def main() -> None:
    """Answer in one line: the facts and whether root read them, or why there are none."""
    answer: dict[str, Any] = {"root": os.geteuid() == 0}
    try:
        _require_python()
        signal.alarm(_RECEIVE_S)
        sent = json.loads(zlib.decompress(base64.b64decode(sys.stdin.buffer.readline())))
        signal.alarm(0)
        sys.meta_path.insert(0, SentFiles(sent["sources"]))
        reader = importlib.import_module(sent["start"])
        answer["hardware"] = reader.read_hardware(sent["limit_s"])
    except Exception as error:  # the controller must hear of it, whatever it is
        answer["error"] = f"{type(error).__name__}: {error}"
    sys.stdout.write(f"\n{MARK}{json.dumps(answer)}\n")


if __name__ == "__main__":
    main()
