"""The diagrams and the table of stages have every stage of site.yml, in its order."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from references import ROOT


def stages() -> list[str]:
    """Return the stages of site.yml, by their files' names."""
    plays: list[dict[str, Any]] = yaml.safe_load((ROOT / "site.yml").read_text(encoding="utf-8"))
    return [Path(play["ansible.builtin.import_playbook"]).stem for play in plays]


def readme_diagram(text: str) -> list[str]:
    """Return the first word of each node of README's diagram, in the order of the text."""
    block = text.partition("```mermaid\n")[2].partition("```")[0]
    return re.findall(r'\w\["([a-z]+)', block)


def architecture_diagram(text: str) -> list[str]:
    """Return the words that the arrows of architecture.md's diagram of stages join."""
    block = text.partition("## The stages\n\n```\n")[2].partition("```")[0]
    return block.partition("\n")[0].split(" ─► ")


def architecture_table(text: str) -> list[str]:
    """Return the stages that have a row below that diagram."""
    table = text.partition("## The stages\n")[2].partition("Operations that")[0]
    return re.findall(r"^\| `([a-z]+)`", table, re.MULTILINE)


@pytest.mark.parametrize(
    ("page", "read", "around"),
    [
        ("README.md", readme_diagram, {"inventory", "reports", "state"}),
        ("docs/architecture.md", architecture_diagram, set()),
        ("docs/architecture.md", architecture_table, set()),
    ],
)
def test_every_stage_is_there_in_order(
    page: str, read: Callable[[str], list[str]], around: set[str]
) -> None:
    shown = read((ROOT / page).read_text(encoding="utf-8"))
    assert [name for name in shown if name not in around] == stages()


def test_a_stage_that_is_missing_is_seen() -> None:
    assert readme_diagram('```mermaid\nA["base<br/>names"] --> B["report"]\n```') == [
        "base",
        "report",
    ]
    assert architecture_diagram("## The stages\n\n```\nbase ─► report\n x\n```\n") == [
        "base",
        "report",
    ]
    assert architecture_table("## The stages\n| `base` | x |\n| `report` (y) |\n") == [
        "base",
        "report",
    ]
    assert len(stages()) > 5
