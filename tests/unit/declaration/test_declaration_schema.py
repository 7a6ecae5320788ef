"""The schema agrees with itself, with the hardware checks and with its documentation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.specs import REQUIREMENTS
from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.controller import (
    controller_problem,
)

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    text = (ROOT / "inventory" / "lab.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def keys(rules: dict[str, Any], place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, inner in rules.get("properties", {}).items():
        yield f"{place}.{name}", inner
        yield from keys(inner, f"{place}.{name}")


def test_the_schema_is_a_schema(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)


def test_every_key_is_described(schema: dict[str, Any]) -> None:
    described = {name for name, body in schema["$defs"].items() if "description" in body}
    bare = [
        place
        for name, body in schema["$defs"].items()
        for place, rules in keys(body, name)
        if "description" not in rules and rules.get("$ref", "").rpartition("/")[2] not in described
    ]
    assert described == set(schema["$defs"])
    assert bare == []


def test_the_editors_view_has_every_variable(schema: dict[str, Any]) -> None:
    names = [*schema["$defs"]["lab"]["properties"], *schema["$defs"]["host"]["properties"]]

    assert list(schema["properties"]) == names
    assert schema["propertyNames"]["anyOf"][1]["enum"] == names


@pytest.mark.parametrize(
    ("file", "good"),
    [
        ({"lab_name": "x", "ansible_user": "y", "time_upstreams": 3}, True),
        ({"node_unit": 3, "node_rack": "R1"}, True),
        ({"lab_nam": "x"}, False),
        ({"node_unit": "3"}, False),
    ],
)
def test_an_editor_checks_a_file_by_itself(
    schema: dict[str, Any], file: dict[str, Any], good: bool
) -> None:
    assert Draft202012Validator(schema).is_valid(file) is good


def test_a_hardware_specification_has_the_keys_that_are_checked(schema: dict[str, Any]) -> None:
    sections = schema["$defs"]["hardware_spec"]["properties"]
    declared = {
        name: set(body["properties"]) for name, body in sections.items() if "properties" in body
    }

    assert declared == {name: set(checks) for name, checks in REQUIREMENTS.items()}


@pytest.mark.parametrize(
    ("ansible", "python", "missing", "said"),
    [
        ("2.18.6", (3, 12), "", "ansible-core 2.18.6 is too old"),
        ("2.9.27", (3, 11), "", "gpulab needs 2.19 or newer"),
        ("unknown", (3, 11), "", "pip install -r requirements.txt"),
        ("2.19.14", (3, 10), "", "Python 3.10 is too old on the controller"),
        ("2.21.0", (3, 13), "jsonschema", "the Python package jsonschema is missing"),
    ],
)
def test_an_unfit_controller_is_told_what_it_lacks(
    ansible: str, python: tuple[int, int], missing: str, said: str
) -> None:
    assert said in controller_problem(ansible, python, missing)


@pytest.mark.parametrize("ansible", ["2.19.0", "2.21.0b1", "3.0.0"])
def test_a_fit_controller_is_fit(ansible: str) -> None:
    assert controller_problem(ansible, (3, 11)) == ""
