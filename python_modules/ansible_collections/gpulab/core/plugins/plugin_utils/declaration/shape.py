"""Check a declaration's shape against the JSON Schema, in words that name the fix."""

from __future__ import annotations

import pathlib
import socket
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from .model import Path, Problem, Secret, Unresolved, Value, mapping, sequence, show
from .suggest import did_you_mean

#: The published schema of the declaration.
SCHEMA = pathlib.Path(__file__).with_name("lab.schema.json")

Said = tuple[Path, str, str]

KINDS = (
    (type(None), "empty"),
    (bool, "a boolean"),
    (int, "an integer"),
    (float, "a number"),
    (str, "a string"),
    (list, "a list"),
    (dict, "a mapping"),
)
EXPECTED_KINDS = {
    "null": "empty",
    "boolean": "true or false",
    "integer": "an integer",
    "number": "a number",
    "string": "a string",
    "array": "a list",
    "object": "a mapping",
}


def shape_problems(
    value: dict[str, Any], schema: dict[str, Any], definition: str, owner: str
) -> list[Problem]:
    """Compare variables with one definition of the schema.

    Args:
        value: the variables, plain Python values.
        schema: the document ``inventory/lab.schema.json``.
        definition: ``lab`` or ``host``, a name in its ``$defs``.
        owner: the node, or "" for the lab.

    Returns:
        All mistakes, in no particular order.
    """
    rules = {"$ref": f"#/$defs/{definition}", "$defs": schema["$defs"]}
    problems = []
    for error in Draft202012Validator(rules).iter_errors(value):
        if isinstance(error.instance, Unresolved):
            continue
        problems += [Problem(owner, path, wrong, right) for path, wrong, right in _explain(error)]
    return list(dict.fromkeys(problems))


def secret_paths(
    value: Value, schema: dict[str, Any], rules: dict[str, Any], at: Path = ()
) -> Iterator[Path]:
    """Find the places in a value that the schema marks ``writeOnly``: the secrets."""
    if "$ref" in rules:
        rules = {**schema["$defs"][rules["$ref"].rpartition("/")[2]], **rules}
    if rules.get("writeOnly"):
        yield at
    known = rules.get("properties", {})
    others = mapping(rules.get("additionalProperties"))
    for key, item in mapping(value).items():
        yield from secret_paths(item, schema, known.get(key, others), (*at, key))
    for number, item in enumerate(sequence(value)):
        yield from secret_paths(item, schema, mapping(rules.get("items")), (*at, number))


def _explain(error: ValidationError) -> Iterator[Said]:
    at: Path = tuple(error.absolute_path)
    if "propertyNames" in error.absolute_schema_path:
        at = (*at, str(error.instance))
    given: Value = error.instance
    rule: Value = error.validator_value
    rules = mapping(error.schema)
    right = _expectation(rules)
    shown = show(Secret() if rules.get("writeOnly") else given)
    if error.validator == "additionalProperties":
        known = rules["properties"]
        for key in given:
            if key not in known:
                yield (*at, str(key)), "unknown key", did_you_mean(str(key), known)
    elif error.validator == "required":
        for key in rule:
            if key not in given:
                yield (*at, key), "this key is missing", _expectation(rules["properties"][key])
    elif error.validator == "dependentRequired":
        for key, needed in rule.items():
            if key in given and not set(needed) <= set(given):
                yield at, f"'{key}' is given without {', '.join(needed)}", f"give both, or no {key}"
    elif error.validator == "type":
        yield at, *_wrong_kind(given, shown, rule, right)
    elif error.validator == "enum":
        names = [str(name) for name in rule]
        yield at, f"{shown} is not a choice", did_you_mean(str(given), names)
    elif error.validator == "pattern" and rules.get("format") == "ports" and given.isalpha():
        yield at, f"{shown} is the name of a port", _port_number(given)
    else:
        yield at, _wrong_value(str(error.validator), shown, rule), right


def _wrong_kind(given: Value, shown: str, rule: Value, right: str) -> tuple[str, str]:
    wanted = rule if isinstance(rule, list) else [rule]
    kind = next((name for type_, name in KINDS if isinstance(given, type_)), type(given).__name__)
    expected = " or ".join(EXPECTED_KINDS[name] for name in wanted)
    if given is None:
        return "it is empty", right
    hint = ""
    if "string" in wanted and isinstance(given, (bool, int, float)):
        hint = "put it in quotes (YAML read it as a number or a truth value). "
    elif isinstance(given, str) and not {"object", "array"} & set(wanted):
        hint = "write it without quotes. "
    return f"{shown} is {kind}, not {expected}", hint + right


def _wrong_value(keyword: str, shown: str, rule: Value) -> str:
    return {
        "pattern": f"{shown} is not written as it must be",
        "minimum": f"{shown} is less than {rule}",
        "exclusiveMinimum": f"{shown} is not more than {rule}",
        "maximum": f"{shown} is more than {rule}",
        "minLength": f"{shown} is too short",
        "maxLength": f"{shown} is longer than {rule} characters",
        "minItems": "the list is empty",
        "uniqueItems": f"{shown} names something twice",
    }.get(keyword, f"{shown} breaks the rule '{keyword}'")


def _port_number(name: str) -> str:
    """Say which number a port's name stands for, as far as this machine knows (/etc/services)."""
    try:
        return f"write its number: {socket.getservbyname(name)}"
    except OSError:
        return "write its number, for example 22 for ssh"


def _expectation(rules: dict[str, Any]) -> str:
    said = str(rules.get("description", "see docs/declaration.md"))
    examples = rules.get("examples")
    return f"{said} Example: {examples[0]}" if examples else said
