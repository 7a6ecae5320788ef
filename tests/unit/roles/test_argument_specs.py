"""Every role's defaults and argument specs say the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = sorted(
    path.parents[1]
    for path in (Path(__file__).parents[3] / "roles").glob("*/meta/argument_specs.yml")
)
# These only set the options of another role, and that one has the shape.
CALLERS = {"pytorch": "framework", "tensorflow": "framework"}
# It acts on the head, whose facts no play of the report has, and names nothing that differs there.
ALIKE_EVERYWHERE = {"slurm_admission"}
TYPES: dict[str, type | tuple[type, ...]] = {
    "bool": bool,
    "int": int,
    "float": (int, float),
    "str": str,
    "path": str,
    "list": list,
    "dict": dict,
}


def options(role: Path) -> dict[str, Any]:
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())
    found: dict[str, Any] = specs["argument_specs"]["main"].get("options", {})
    return found


def defaults(role: Path) -> dict[str, Any]:
    return yaml.safe_load((role / "defaults" / "main.yml").read_text()) or {}


def templated(value: object) -> bool:
    return isinstance(value, str) and "{{" in value


def unknown_yet(role_defaults: dict[str, Any], role_vars: dict[str, Any]) -> set[str]:
    """Name the role's own variables that defaults use and nobody has loaded by then.

    Arguments are validated before the first task, which loads the names of the platform.
    """
    return set(re.findall(r"\b__\w+", str(role_defaults))) - set(role_vars)


def type_problem(name: str, value: object, spec: dict[str, Any]) -> str | None:
    """Say how a default's type differs from the spec's; a template's shows only at run time."""
    if templated(value) or value is None:
        return None
    wanted = TYPES[spec.get("type", "str")]
    is_bool = isinstance(value, bool)
    if isinstance(value, wanted) and (not is_bool or wanted is bool):
        return None
    return f"{name}: default {value!r} is no {spec.get('type', 'str')}"


def undescribed(found: dict[str, Any], prefix: str = "") -> list[str]:
    names = []
    for name, spec in found.items():
        if not spec.get("description"):
            names.append(prefix + name)
        names += undescribed(spec.get("options", {}), f"{prefix}{name}.")
    return names


def test_there_are_roles() -> None:
    assert {"base", "ssh", "time"} <= {role.name for role in ROLES}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
class TestRole:
    def test_same_names(self, role: Path) -> None:
        required = {name for name, spec in options(role).items() if spec.get("required")}
        assert set(defaults(role)) == set(options(role)) - required

    def test_names_carry_the_roles_prefix(self, role: Path) -> None:
        assert [name for name in options(role) if not name.startswith(f"{role.name}_")] == []

    def test_types_agree(self, role: Path) -> None:
        specs = options(role)
        problems = [
            type_problem(name, value, specs[name]) for name, value in defaults(role).items()
        ]
        assert [problem for problem in problems if problem] == []

    def test_stated_defaults_are_the_real_ones(self, role: Path) -> None:
        real = defaults(role)
        # In place of a template, the spec may say in words what comes out.
        stated = {
            name: spec["default"]
            for name, spec in options(role).items()
            if "default" in spec and (templated(spec["default"]) or not templated(real[name]))
        }
        assert stated == {name: real[name] for name in stated}

    def test_everything_is_described(self, role: Path) -> None:
        assert undescribed(options(role)) == []

    def test_defaults_are_known_before_the_first_task(self, role: Path) -> None:
        file = role / "vars" / "main.yml"
        known = yaml.safe_load(file.read_text()) if file.is_file() else {}
        assert unknown_yet(defaults(role), known) == set()

    def test_it_has_the_shape_of_a_role(self, role: Path) -> None:
        if role.name in CALLERS:
            (task,) = yaml.safe_load((role / "tasks" / "main.yml").read_text())
            assert task["ansible.builtin.import_role"]["name"] == CALLERS[role.name]
            return
        tasks = {path.stem for path in (role / "tasks").glob("*.yml")}
        assert {"main", "preflight", "install", "verify"} <= tasks
        if role.name in ALIKE_EVERYWHERE:
            assert not list((role / "vars").glob("[A-Z]*.yml"))
            return
        assert (role / "vars" / "Debian.yml").is_file()
        assert (role / "vars" / "RedHat.yml").is_file()


@pytest.mark.parametrize(
    ("value", "spec", "problem"),
    [
        (3, {"type": "int"}, False),
        (True, {"type": "int"}, True),
        ("3", {"type": "int"}, True),
        ("{{ x }}", {"type": "list"}, False),
        (0.1, {"type": "float"}, False),
        ([], {"type": "dict"}, True),
    ],
)
def test_type_problem(value: object, spec: dict[str, Any], problem: bool) -> None:
    assert (type_problem("x", value, spec) is not None) is problem


def test_unknown_yet() -> None:
    assert unknown_yet({"a": "{{ __there }} {{ __platforms }}"}, {"__there": 1}) == {"__platforms"}


def test_undescribed_looks_into_suboptions() -> None:
    found = {"a": {"description": "x", "options": {"b": {"type": "str"}}}}
    assert undescribed(found) == ["a.b"]
