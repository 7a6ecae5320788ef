"""What has no effect yet is said, as long as it is so and no longer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.unit.declaration.conftest import ROOT, schema

from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.model import (
    Declaration,
    Host,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.unenforced import (
    UNENFORCED,
    not_enforced,
)

if TYPE_CHECKING:
    from tests.unit.declaration.conftest import Lab

COLLECTION = ROOT / "python_modules/ansible_collections/gpulab/core/plugins"
# What checks or describes the declaration gives it no effect.
NO_EFFECT = ("/plugin_utils/declaration/", "/plugins/modules/", "meta/argument_specs.yml")


def code() -> Iterator[Path]:
    """Every file that can make a declared thing count."""
    for folder in (ROOT / "roles", ROOT / "playbooks", COLLECTION):
        for file in sorted(folder.rglob("*")):
            place = file.as_posix()
            if file.suffix in {".py", ".yml", ".j2"} and not any(one in place for one in NO_EFFECT):
                yield file


def keys(rules: object) -> Iterator[str]:
    """The keys of a definition of the schema, at any depth."""
    if isinstance(rules, dict):
        for key, inner in (rules.get("properties") or {}).items():
            if isinstance(inner, dict):
                yield key
                yield from keys(inner)
        for inner in (rules.get("additionalProperties"), rules.get("items")):
            yield from keys(inner)


@pytest.fixture(scope="module")
def words() -> set[str]:
    """Every word of that code, without what stands in comments."""
    found: set[str] = set()
    for file in code():
        for line in file.read_text(encoding="utf-8").splitlines():
            found |= set(re.findall(r"\w+", line.partition("#")[0]))
    return found


def test_what_nothing_reads_is_in_the_table_and_what_something_reads_is_not(
    words: set[str],
) -> None:
    definitions = schema()["$defs"]
    table = {name for entry in UNENFORCED for name in entry.variables}

    for owner in ("lab", "host"):
        variables = definitions[owner]["properties"]
        assert {name for name in variables if name not in words} == table & set(variables)


def test_no_key_of_an_enforced_variable_is_without_effect(words: set[str]) -> None:
    definitions = schema()["$defs"]
    excused = {name for entry in UNENFORCED for name in entry.variables}
    enforced = {
        key
        for owner in ("lab", "host")
        for name, rules in definitions[owner]["properties"].items()
        if name not in excused
        for key in keys(rules)
    }

    assert {key for key in enforced if key not in words} == set()


def test_a_group_without_effect_is_in_the_table(words: set[str]) -> None:
    for entry in UNENFORCED:
        assert [group for group in entry.groups if group in words] == []


def test_a_lab_is_told_what_of_it_has_no_effect() -> None:
    hosts = (
        Host("a", ("compute", "ups_attached"), {"node_power_feeds": ["x"], "node_serial": "1"}),
        Host("b", ("compute",), {"node_root_disk": {}}),
    )

    lines = not_enforced(Declaration({"lab_cooling": {}, "lab_name": "x"}, hosts))

    assert [line.partition(": ")[0] for line in lines] == [
        "node_power_feeds, group ups_attached",
        "lab_cooling",
        "node_root_disk",
    ]
    assert not_enforced(Declaration({"lab_name": "x"}, (Host("a", ("compute",)),))) == []


def test_no_sound_lab_is_refused_for_it(sound: Lab) -> None:
    assert "lab_upses" in sound.lab
    assert sound.check() == []


def test_the_documentation_says_the_same() -> None:
    page = (ROOT / "docs" / "declaration.md").read_text(encoding="utf-8")
    section = page.partition("## Not enforced yet")[2].partition("\n## ")[0]

    for entry in UNENFORCED:
        assert entry.today in section
        assert all(f"`{name}`" in section for name in (*entry.variables, *entry.groups))
