"""Options that are true or false are converted where they are used, however they are given."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.roles.boolean_uses import bool_options, unconverted, word_options

# Ansible's own Jinja reads the backslashes of regular expressions in the same way.
pytestmark = pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning")

PROJECT = Path(__file__).resolve().parents[3]
ROLES = PROJECT / "roles"
OPTIONS = {
    name for specs in ROLES.glob("*/meta/argument_specs.yml") for name in bool_options(specs)
}
WORDS = {name for specs in ROLES.glob("*/meta/argument_specs.yml") for name in word_options(specs)}
# Files that Ansible reads; argument_specs describe options and are no code.
READ = [
    *(
        file
        for folder in ("tasks", "handlers", "vars", "defaults", "meta", "templates")
        for file in sorted(ROLES.glob(f"*/{folder}/**/*"))
        if file.suffix in {".yml", ".j2"} and file.name != "argument_specs.yml"
    ),
    *sorted((PROJECT / "playbooks").rglob("*.yml")),
    PROJECT / "site.yml",
    *sorted((PROJECT / "molecule").rglob("*.yml")),
]


def test_the_options_are_known() -> None:
    assert {"ssh_x11_forwarding", "nvidia_driver_upgrade", "cuda_remove_undeclared"} <= OPTIONS


def test_every_use_is_converted() -> None:
    uses = {str(file.relative_to(PROJECT)): unconverted(file, OPTIONS) for file in READ}

    assert {file: found for file, found in uses.items() if found} == {}


def test_every_use_of_a_word_that_yaml_takes_for_a_truth_value_is_made_text() -> None:
    uses = {str(file.relative_to(PROJECT)): unconverted(file, WORDS, "string") for file in READ}

    assert {"network_rdma", "ssh_allow_tcp_forwarding"} <= WORDS
    assert {file: found for file, found in uses.items() if found} == {}


CASES = [
    # Conditions.
    ("- when: good | bool", []),
    ("- when: bad", ["bad"]),
    ("- when: not bad", ["bad"]),
    ("- when: [other, not bad]", ["bad"]),
    ("- assert: {that: bad or x == y}", ["bad"]),
    ("- assert: {that: (good | bool) or x == y}", []),
    ("- until: bad", ["bad"]),
    ("- failed_when: x.rc != 0 and bad", ["bad"]),
    ("- changed_when: x and good | bool", []),
    ("- {block: [{debug: {}, when: bad}]}", ["bad"]),
    # Precedence: the filter binds to what stands before it.
    ("- when: x and bad | bool == bad", ["bad"]),
    ("- when: (bad or x) | bool", ["bad"]),
    # Defaults.
    ("- when: good | default(false) | bool", []),
    ("- when: bad | default(false)", ["bad"]),
    ("- when: bad | bool | default(bad)", ["bad"]),
    ("- when: not bad | d(omit)", ["bad"]),
    ("- when: unknown | default(false)", ["unknown"]),
    ("- when: unknown | default(true) | bool", []),
    ("- when: __found.there | default(false)", []),
    ("- when: __found | default(false)", []),
    ("- when: good is defined and good | bool", []),
    # Templates: arguments, what is passed on, loops, names of keys.
    ('- copy: {x: "{{ bad }}"}', ["bad"]),
    ('- include_role: {name: r}\n  vars: {other: "{{ bad }}"}', ["bad"]),
    ('- include_role: {name: r}\n  vars: {other: "{{ good | bool }}"}', []),
    ("x: \"{{ 'yes' if bad else 'no' }}\"", ["bad"]),
    ("x: \"{{ 'yes' if good | bool else 'no' }}\"", []),
    ('x: "{{ y | some.where.filter(a, b=bad) }}"', ["bad"]),
    ('x: "{{ y | some.where.filter(a, b=good | bool) }}"', []),
    ('x: "{{ {1: bad} }} and {{ [bad] }}"', ["bad", "bad"]),
    ('x: "{{ bad | int }}"', ["bad"]),
    ('x: "{{ good | bool | int }}"', []),
    ('"{{ bad }}": y', ["bad"]),
    ('x: "{% if bad %}y{% endif %}"', ["bad"]),
    ('x: "{{ hostvars[y].bad }}"', ["bad"]),
    ("x: \"{{ hostvars['y']['bad'] }}\"", ["bad"]),
    ("x: \"{{ vars['bad'] }}\"", ["bad"]),
    ('x: "{{ hostvars[y].good | default(true) | bool }}"', []),
    # No use: a text, a key, another thing's attribute.
    ("- debug: {msg: bad}", []),
    ("bad: false", []),
    ('x: "{{ y.bad }}"', []),
    ("x: \"{{ 'bad' }}\"", []),
    ("x: !vault |\n  bad", []),
]


@pytest.mark.parametrize(("text", "found"), CASES)
def test_a_use_that_is_not_converted_is_found(tmp_path: Path, text: str, found: list[str]) -> None:
    file = tmp_path / "main.yml"
    file.write_text(text, encoding="utf-8")

    uses = unconverted(file, {"bad", "good"})

    assert [use.partition(" in ")[0] for use in uses] == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("X11 {{ 'yes' if bad else 'no' }}", ["bad"]),
        ("X11 {{ 'yes' if good | bool else 'no' }}", []),
        ("{% if x and not bad %}\nbad\n{% endif %}", ["bad"]),
        ("{% for x in y if bad %}{{ good | bool }}{% endfor %}", ["bad"]),
        ("bad", []),
    ],
)
def test_a_use_in_a_template_is_found(tmp_path: Path, text: str, found: list[str]) -> None:
    file = tmp_path / "some.conf.j2"
    file.write_text(text, encoding="utf-8")

    uses = unconverted(file, {"bad", "good"})

    assert [use.partition(" in ")[0] for use in uses] == found


def test_a_word_that_is_not_made_text_is_found(tmp_path: Path) -> None:
    file = tmp_path / "main.yml"
    file.write_text("- when: bad == 'no'\n- when: good | string == 'no'\n", encoding="utf-8")

    assert [use[:3] for use in unconverted(file, {"bad", "good"}, "string")] == ["bad"]


def test_options_are_read_from_a_roles_specs(tmp_path: Path) -> None:
    specs = tmp_path / "argument_specs.yml"
    specs.write_text(
        "argument_specs:\n  main: {options: {a: {type: bool}, b: {type: str},"
        " c: {choices: [a, 'no']}, d: {choices: [a]}}}\n  other: {}\n",
        encoding="utf-8",
    )

    assert bool_options(specs) == {"a"}
    assert word_options(specs) == {"c"}
