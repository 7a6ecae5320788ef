"""The lookup `template` reads variables as they are, and no template changes them."""

from __future__ import annotations

import copy
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.lookup import template
from ansible.template import Templar, trust_as_template

from ansible_collections.gpulab.core.plugins.plugin_utils.engine import shared_variables


class Counted(dict[str, Any]):
    """Says how often it is copied with all that is in it."""

    copies = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> Counted:  # noqa: D105
        Counted.copies += 1
        return Counted(self)


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template, "deepcopy", copy.deepcopy)
    monkeypatch.setattr(Counted, "copies", 0)


def rendered(folder: Path, template: str, variables: dict[str, Any]) -> str:
    (folder / "x.j2").write_text(template)
    templar = Templar(loader=DataLoader(), variables=variables)
    asked = trust_as_template(f"{{{{ lookup('template', '{folder}/x.j2') }}}}")
    return str(templar.template(asked))


@pytest.mark.parametrize("shares", [False, True])
def test_a_file_is_the_same_and_copies_nothing(tmp_path: Path, shares: bool) -> None:
    if shares:
        assert shared_variables.install()
    variables = {"lab": Counted(nodes=["a", "b"]), "own": {"x": trust_as_template("{{ 1 + 1 }}")}}
    text = "{% for node in lab.nodes %}{{ node }} {% endfor %}{{ own.x }} {{ template_path }}"
    assert rendered(tmp_path, text, variables) == f"a b 2 {tmp_path}/x.j2"
    assert Counted.copies == (0 if shares else 1)
    assert set(variables) == {"lab", "own"}


@pytest.mark.parametrize(
    "change",
    [
        "{{ x.deep.many.append(2) }}",
        "{% set _ = x.deep.update({'many': []}) %}",
        "{{ x.pop('deep') }}",
        "{{ many.append(2) }}",
        "{% set x = 1 %}",
    ],
)
def test_a_template_that_changes_a_variable_changes_its_own(tmp_path: Path, change: str) -> None:
    assert shared_variables.install()
    variables: dict[str, Any] = {"x": {"deep": {"many": [1]}}, "many": [1]}
    rendered(tmp_path, change, variables)
    assert variables == {"x": {"deep": {"many": [1]}}, "many": [1]}


def test_a_lookup_that_copies_otherwise_is_left_alone() -> None:
    other = ModuleType("other")
    assert not shared_variables.share(other)
    assert not hasattr(other, "deepcopy")
    other.deepcopy = list  # type: ignore[attr-defined]
    assert not shared_variables.share(other)
    assert other.deepcopy is list  # type: ignore[attr-defined]
