"""The reader of ``gpulab.core.hardware_info``, packed for a node as one line of text."""

from __future__ import annotations

import base64
import functools
import json
import zlib
from pathlib import Path

from ..node_programs import PROGRAMS, source_files

_READER = "hardware-reader"
# The package that the files are on the node.
_PACKAGE = "gpulab_node"


@functools.cache
def bootstrap() -> str:
    """Return the text of the program that begins on the node."""
    return Path(__file__).with_name("bootstrap.py").read_text(encoding="utf-8")


@functools.cache
def pack(limit_s: float) -> str:
    """Return the line for the program: the same files give the same line.

    Args:
        limit_s: Seconds after which a part of the hardware is given up as unknown.
    """
    sources = {_module(file): text for file, text in source_files(_READER).items()}
    sent = {"start": _module(PROGRAMS[_READER]), "limit_s": limit_s, "sources": sources}
    return base64.b64encode(zlib.compress(json.dumps(sent).encode(), 9)).decode()


def _module(file: str) -> str:
    return ".".join((_PACKAGE, *Path(file).with_suffix("").parts))
