"""The published JSON Schemas, and one readable line for each thing that breaks one."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema.protocols

SCHEMAS = Path(__file__).parent / "schemas"


class SchemaError(ValueError):
    """A value that breaks its schema; the text names each key and what is wrong there."""


def check(value: Mapping[str, Any], name: str) -> None:
    """Check ``value`` against ``schemas/<name>.schema.json``.

    Raises:
        SchemaError: it does not fit; the text has one ``key: problem`` for each fault.
    """
    faults = sorted(_validator(name).iter_errors(value), key=lambda fault: fault.json_path)
    if faults:
        raise SchemaError("; ".join(f"{f.json_path}: {_short(f.message)}" for f in faults))


@functools.cache
def _validator(name: str) -> jsonschema.protocols.Validator:
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def _short(text: str, limit: int = 160) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"
