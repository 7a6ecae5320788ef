"""Read the document of gpulab_bench without any library but Python's own.

The full form is the JSON Schema that gpulab_bench publishes; here stands what the checks rely on.
A value that is absent or of the wrong type reads as None, and None makes a check unknown.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

SCHEMA = 2


class ResultError(ValueError):
    """The text is no document of gpulab_bench; the message says why."""


def _refuse(constant: str) -> float:
    raise ResultError(f"it contains {constant}, which is not JSON")


def parse_result(text: str) -> dict[str, Any]:
    """Return the document in the benchmark's standard output.

    Raises:
        ResultError: It is not one JSON object of the schema that this code knows.
    """
    if not text.strip():
        raise ResultError("it is empty")
    try:
        document = json.loads(text, parse_constant=_refuse)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ResultError(f"it is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ResultError("it is JSON, but no object")
    if document.get("schema") != SCHEMA:
        raise ResultError(f"its schema is {document.get('schema')!r}, not {SCHEMA}")
    if not isinstance(document.get("partial"), bool):
        raise ResultError("it lacks the key 'partial'")
    return document


def value_at(document: Mapping[str, Any], *path: str) -> object:
    """Return the value at a path of keys, or None."""
    here: object = document
    for key in path:
        if not isinstance(here, Mapping):
            return None
        here = here.get(key)
    return here


def section_at(document: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """Return the object at a path of keys, or an empty one."""
    value = value_at(document, *path)
    return value if isinstance(value, Mapping) else {}


def items_at(document: Mapping[str, Any], *path: str) -> list[Mapping[str, Any]]:
    """Return the objects in the array at a path of keys; what is none is left out."""
    value = value_at(document, *path)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def applies(document: Mapping[str, Any], stage: str) -> bool:
    """Return whether the run's profile has a stage that this node has something for."""
    return any(
        text_at(one, "name") == stage and text_at(one, "status") != "skipped"
        for one in items_at(document, "stages")
    )


def number_at(document: Mapping[str, Any], *path: str) -> float | None:
    """Return the finite number at a path of keys, or None."""
    value = value_at(document, *path)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return value


def text_at(document: Mapping[str, Any], *path: str) -> str:
    """Return the text at a path of keys, or ''."""
    value = value_at(document, *path)
    return value if isinstance(value, str) else ""
